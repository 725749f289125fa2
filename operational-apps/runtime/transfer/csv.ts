import { problem } from '../model/problem.ts';

const MOST_CELL = 1_000_000;

export interface CsvRow {
  /** Line of the file on which it begins, from 1. */
  readonly line: number;
  readonly cells: readonly string[];
}

/** Rows of a CSV file (RFC 4180; commas, or semicolons if the first line has more of them), piece by piece. */
export async function* readCsv(content: AsyncIterable<Buffer>): AsyncGenerator<CsvRow> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let separator = '';
  let held = '';
  let cells: string[] = [];
  let cell = '';
  let [line, begin] = [1, 1];
  let state = 'plain' as 'plain' | 'quoted' | 'quote';
  const rows: CsvRow[] = [];
  const endRow = (): void => {
    cells.push(cell);
    if (cells.length > 1 || cells[0] !== '') rows.push({ line: begin, cells });
    cells = [];
    cell = '';
    begin = line;
  };
  const take = (text: string): void => {
    for (const char of text) {
      if (char === '\n') line += 1;
      if (state === 'quoted') {
        if (char === '"') state = 'quote';
        else cell += char;
      } else if (char === '"' && (state === 'quote' || cell === '')) {
        if (state === 'quote') cell += '"';
        state = 'quoted';
      } else {
        state = 'plain';
        if (char === separator) {
          cells.push(cell);
          cell = '';
        } else if (char === '\n') endRow();
        else if (char !== '\r') cell += char;
      }
      if (cell.length > MOST_CELL)
        throw problem('LIMIT_EXCEEDED', `Line ${begin}: a cell has more than ${MOST_CELL} characters.`);
    }
  };
  const decode = (bytes?: Buffer): string => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch {
      throw problem('VALUE_INVALID', `Near line ${line}: the file is not UTF-8.`);
    }
  };
  for await (const chunk of content) {
    held += decode(chunk);
    if (separator === '') {
      const first = held.indexOf('\n');
      if (first < 0 && held.length < MOST_CELL) continue;
      const head = held.slice(0, first < 0 ? undefined : first);
      separator = head.split(';').length > head.split(',').length ? ';' : ',';
    }
    take(held);
    held = '';
    yield* rows.splice(0);
  }
  if (separator === '') separator = held.split(';').length > held.split(',').length ? ';' : ',';
  take(held + decode());
  if (state === 'quoted') throw problem('VALUE_INVALID', `Line ${begin}: a quote is not closed.`);
  if (cell !== '' || cells.length > 0) endRow();
  yield* rows;
}

/** One line, with its end. What a spreadsheet would take for a formula gets an apostrophe before it. */
export function csvLine(cells: readonly string[]): string {
  return `${cells.map((cell) => (/[",;\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',')}\r\n`;
}

export const guarded = (text: string): string => (/^[=+\-@\t]/.test(text) ? `'${text}` : text);
export const unguarded = (text: string): string => (/^'[=+\-@\t]/.test(text) ? text.slice(1) : text);
