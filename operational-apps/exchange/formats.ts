import type { Readable } from 'node:stream';
import { userError } from '#kernel';
import type { ExchangeColumn } from './columns.ts';
import { readCsv, writeCsv } from './csv.ts';
import { readExcel, writeExcel } from './excel.ts';
import { readParquet, writeParquet } from './parquet.ts';
import type { Cells, FileRow } from './types.ts';

/** One kind of file. `write` takes rows as they come; `read` gives them with the header's names. */
export interface ExchangeFormat {
  readonly contentType: string;
  readonly extension: string;
  write(columns: readonly ExchangeColumn[], rows: AsyncIterable<readonly Cells[]>): AsyncIterable<Uint8Array>;
  read(content: Readable): AsyncIterable<FileRow>;
}

const FORMATS: Readonly<Record<string, ExchangeFormat>> = {
  csv: { contentType: 'text/csv; charset=utf-8', extension: 'csv', write: writeCsv, read: readCsv },
  xlsx: {
    contentType: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    extension: 'xlsx',
    write: writeExcel,
    read: readExcel,
  },
  parquet: {
    contentType: 'application/vnd.apache.parquet',
    extension: 'parquet',
    write: writeParquet,
    read: readParquet,
  },
};

export const FORMAT_NAMES = ['csv', 'xlsx', 'parquet'] as const;
export type FormatName = (typeof FORMAT_NAMES)[number];

/** Errors: FORMAT_UNKNOWN (user). */
export function formatOf(name: string): ExchangeFormat {
  const format = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined;
  if (!format)
    throw userError('FORMAT_UNKNOWN', `There is no format "${name}".`, `Use ${FORMAT_NAMES.join(', ')}.`);
  return format;
}
