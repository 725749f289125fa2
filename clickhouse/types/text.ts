/** ClickHouse's TabSeparated text: what a field needs so that tabs, line ends and backslashes survive. */
export const NULL_FIELD = '\\N';

const ESCAPES: Readonly<Record<string, string>> = {
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\0': '\\0',
  '\\': '\\\\',
  "'": "\\'",
};

const IN_FIELD = /[\b\f\n\r\t\0\\]/g;
const IN_QUOTES = /[\b\f\n\r\t\0\\']/g;

/** A String field of TabSeparated. */
export const escapeField = (text: string): string => text.replace(IN_FIELD, (char) => ESCAPES[char] ?? char);

/** A quoted string inside an Array or Map field. */
export const quoteElement = (text: string): string =>
  `'${text.replace(IN_QUOTES, (char) => ESCAPES[char] ?? char)}'`;

/** Bytes as a String field: every byte kept, also those that are not UTF-8. */
export function escapeBytes(bytes: Buffer): Buffer {
  let extra = 0;
  for (const byte of bytes) if (BYTE_ESCAPES[byte] !== 0) extra += 1;
  if (extra === 0) return bytes;
  const out = Buffer.allocUnsafe(bytes.length + extra);
  let at = 0;
  for (const byte of bytes) {
    const second = BYTE_ESCAPES[byte] ?? 0;
    if (second !== 0) out[at++] = 0x5c;
    out[at++] = second === 0 ? byte : second;
  }
  return out;
}

/** Second byte of the escape of a byte, 0 = written as it is. */
const BYTE_ESCAPES = new Uint8Array(256);
for (const [char, pair] of Object.entries(ESCAPES)) {
  if (char !== "'") BYTE_ESCAPES[char.charCodeAt(0)] = pair.charCodeAt(1);
}

/** `_raw` as a Map(String, String) field. */
export function rawField(raw: ReadonlyMap<string, string>): string {
  const entries = [...raw].map(([name, text]) => `${quoteElement(name)}:${quoteElement(text)}`);
  return `{${entries.join(',')}}`;
}

const UNESCAPES: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  '0': '\0',
};

/** Reads what `rawField` or ClickHouse wrote. */
export function parseRawField(field: string): Map<string, string> {
  const texts = [...field.matchAll(/'((?:[^'\\]|\\.)*)'/gs)].map((match) =>
    (match[1] ?? '').replace(/\\(.)/gs, (_, char: string) => UNESCAPES[char] ?? char),
  );
  const raw = new Map<string, string>();
  for (let i = 0; i + 1 < texts.length; i += 2) raw.set(texts[i] ?? '', texts[i + 1] ?? '');
  return raw;
}
