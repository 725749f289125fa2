import { userError } from '#kernel';
import type { EntityModel } from '../definitions/index.ts';
import type { ListQuery, Records } from '../runtime/types.ts';
import { cellOf, type ExchangeColumn, exchangeColumns } from './columns.ts';
import { formatOf } from './formats.ts';
import type { Cells } from './types.ts';

export interface Exported {
  readonly fileName: string;
  readonly contentType: string;
  /** Made as it is read: an error (LIMIT_EXCEEDED, a lost database) breaks it off. */
  readonly content: AsyncIterable<Uint8Array>;
}

/**
 * All records that match, as a file; needs the right to export. Fields one may not read are not in it. CSV and
 * Parquet in steady memory. Errors: PERMISSION_DENIED, FORMAT_UNKNOWN, FIELD_UNKNOWN (user).
 */
export function exportRecords(
  records: Records,
  entity: EntityModel,
  options: {
    readonly format: string;
    readonly query?: Pick<ListQuery, 'filter' | 'sort' | 'search'>;
    /** Columns wanted, in this order; all if absent. */
    readonly columns?: readonly string[] | undefined;
  },
): Exported {
  const path = `${entity.app}.${entity.name}`;
  const format = formatOf(options.format);
  const all = exchangeColumns(entity, records.rights(path));
  const columns = options.columns?.map((name) => named(all, name)) ?? all;
  const select = Object.fromEntries(columns.map((column) => [column.field, true as const]));
  const pages = records.stream(path, { ...options.query, select });
  const rows = async function* (): AsyncGenerator<Cells[]> {
    for await (const page of pages)
      yield page.map((record) => columns.map((column) => cellOf(record, column)));
  };
  return {
    fileName: `${entity.app}-${entity.name}.${format.extension}`,
    contentType: format.contentType,
    content: format.write(columns, rows()),
  };
}

function named(all: readonly ExchangeColumn[], name: string): ExchangeColumn {
  const found = all.find((column) => column.name === name);
  if (found) return found;
  throw userError(
    'FIELD_UNKNOWN',
    `There is no column "${name}" that you may read.`,
    `Columns: ${all.map((column) => column.name).join(', ')}.`,
  );
}
