import type { Readable } from 'node:stream';
import readSheet from 'read-excel-file/node';
import writeSheet, { type Cell } from 'write-excel-file/node';
import { userError } from '#kernel';
import type { ExchangeColumn } from './columns.ts';
import type { Cells, FileRow } from './types.ts';

/** A workbook is made in memory: larger exports are for CSV or Parquet. */
const MAX_ROWS = 50_000;
const MAX_BYTES = 20 * 1024 * 1024;
/** More digits than a spreadsheet's numbers have are kept as text. */
const EXACT_DIGITS = 15;

/** One sheet with a bold header. Errors: LIMIT_EXCEEDED (user) beyond 50,000 rows. */
export async function* writeExcel(
  columns: readonly ExchangeColumn[],
  rows: AsyncIterable<readonly Cells[]>,
): AsyncGenerator<Uint8Array> {
  const sheet: Cell[][] = [columns.map((column) => ({ value: column.name, fontWeight: 'bold' }))];
  for await (const some of rows) {
    if (sheet.length + some.length > MAX_ROWS + 1)
      throw userError(
        'LIMIT_EXCEEDED',
        `A workbook has at most ${MAX_ROWS.toLocaleString('en')} rows.`,
        'Filter, or export CSV or Parquet.',
      );
    for (const cells of some) sheet.push(cells.map((cell, index) => excelCell(cell, columns[index]!)));
  }
  yield await writeSheet(sheet, { stickyRowsCount: 1 }).toBuffer();
}

function excelCell(cell: string | null, { kind }: ExchangeColumn): Cell {
  if (cell === null) return null;
  switch (kind) {
    case 'integer':
    case 'decimal':
      return cell.replace(/\D/g, '').length <= EXACT_DIGITS && /^-?\d+(\.\d+)?$/.test(cell)
        ? { type: Number, value: Number(cell) }
        : { type: String, value: cell };
    case 'boolean':
      return cell === 'true' || cell === 'false'
        ? { type: Boolean, value: cell === 'true' }
        : { type: String, value: cell };
    default:
      // Dates stay text: a spreadsheet's have no time zone and end before 1900.
      return { type: String, value: cell };
  }
}

/** The first sheet; its first row is the header. Errors: FILE_INVALID, LIMIT_EXCEEDED (user). */
export async function* readExcel(content: Readable): AsyncGenerator<FileRow> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of content) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_BYTES)
      throw userError(
        'LIMIT_EXCEEDED',
        'A workbook may have at most 20 MiB.',
        'Split it, or save it as CSV.',
      );
    chunks.push(chunk as Buffer);
  }
  let rows: Awaited<ReturnType<typeof readSheet>>;
  try {
    rows = await readSheet(Buffer.concat(chunks), { trim: false });
  } catch (cause) {
    throw userError('FILE_INVALID', 'The file is not an Excel workbook.', 'Save it as .xlsx.', cause);
  }
  const first = rows[0] as unknown;
  const data = (
    Array.isArray(first) ? rows : ((first as { data?: unknown } | undefined)?.data ?? [])
  ) as unknown[][];
  const header = (data[0] ?? []).map((name) => String(name ?? '').trim());
  for (const [index, cells] of data.slice(1).entries())
    yield {
      line: index + 2,
      cells: Object.fromEntries(
        header.map((name, at) => [name, textOf(cells[at])]).filter(([name]) => name !== ''),
      ),
    };
}

function textOf(value: unknown): string | null {
  if (value === null || value === undefined || value === '') return null;
  if (value instanceof Date) {
    const text = value.toISOString();
    return text.endsWith('T00:00:00.000Z') ? text.slice(0, 10) : text;
  }
  return String(value);
}
