import { pipeline, Readable } from 'node:stream';
import { type CsvError, parse } from 'csv-parse';
import { stringify } from 'csv-stringify';
import { userError } from '#kernel';
import type { ExchangeColumn } from './columns.ts';
import type { Cells, FileRow } from './types.ts';

/** Longest record of a file, in characters. */
const MAX_RECORD = 1_000_000;
/** What a spreadsheet would run as a formula. */
const FORMULA = /^[=+\-@\t\r]/;
const NUMBER = /^[+-]?\d+(\.\d+)?$/;

/** RFC 4180 in UTF-8 with a byte order mark, which Excel needs. Texts that look like formulas get an apostrophe. */
export async function* writeCsv(
  columns: readonly ExchangeColumn[],
  rows: AsyncIterable<readonly Cells[]>,
): AsyncGenerator<Uint8Array> {
  const lines = async function* (): AsyncGenerator<Cells> {
    yield columns.map((column) => column.name);
    for await (const some of rows) for (const cells of some) yield cells.map(guarded);
  };
  // Unlike pipe, it passes on what goes wrong: a refusal ends the text with its error.
  const text = pipeline(Readable.from(lines()), stringify({ bom: true }), () => {});
  for await (const chunk of text) yield chunk as Buffer;
}

const guarded = (cell: string | null): string | null =>
  cell !== null && FORMULA.test(cell) && !NUMBER.test(cell) ? `'${cell}` : cell;

const unguarded = (cell: string): string =>
  cell.startsWith("'") && FORMULA.test(cell.slice(1)) ? cell.slice(1) : cell;

/** Comma, semicolon or tab, whichever the header has; an empty cell is no value. Errors: FILE_INVALID (user). */
export async function* readCsv(content: Readable): AsyncGenerator<FileRow> {
  const parser = pipeline(
    content,
    parse({
      bom: true,
      columns: true,
      delimiter: [',', ';', '\t'],
      info: true,
      max_record_size: MAX_RECORD,
      relax_column_count_less: true,
      skip_empty_lines: true,
      trim: false,
    }),
    () => {},
  );
  try {
    for await (const { record, info } of parser as AsyncIterable<{
      record: Record<string, string>;
      info: { lines: number };
    }>) {
      const cells = Object.entries(record).map(([name, cell]) => [
        name.trim(),
        cell === '' ? null : unguarded(cell),
      ]);
      yield { line: info.lines, cells: Object.fromEntries(cells) };
    }
  } catch (error) {
    if ((error as CsvError).code?.startsWith('CSV_'))
      throw userError(
        'FILE_INVALID',
        `The file is not CSV: ${(error as Error).message}`,
        'Save it as CSV in UTF-8.',
        error,
      );
    throw error;
  }
}
