import { refusal } from '../engine/index.ts';

/** The text fields of a multipart/form-data body, by name. External tables (parts with a file name) are refused. */
export function readMultipart(contentType: string, body: Buffer): Map<string, string> {
  const boundary = /boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType);
  if (!boundary) throw refusal(36, 'BAD_ARGUMENTS', 'A multipart body without a boundary');
  const mark = `--${boundary[1] ?? boundary[2]}`;
  const fields = new Map<string, string>();
  let at = body.indexOf(mark);
  while (at >= 0) {
    const start = at + mark.length;
    const next = body.indexOf(mark, start);
    if (next < 0) break;
    // A part: line end, headers, blank line, content, line end.
    const part = body.subarray(start + 2, next - 2);
    const blank = part.indexOf('\r\n\r\n');
    const headers = part.subarray(0, blank).toString();
    if (/;\s*filename=/i.test(headers)) {
      throw refusal(48, 'NOT_IMPLEMENTED', 'External tables are not supported');
    }
    const name = /;\s*name="([^"]*)"/i.exec(headers)?.[1];
    if (blank >= 0 && name !== undefined) fields.set(name, part.subarray(blank + 4).toString());
    at = next;
  }
  return fields;
}
