import type { Column, ColumnType, LogRecord, RowImage, ScalarType, TableSchema } from '#kernel';

export const scalar = (kind: ScalarType['kind'], extra: Partial<ScalarType> = {}): ScalarType => ({
  kind,
  sourceType: kind,
  ...extra,
});

export const column = (
  attnum: number,
  name: string,
  type: ColumnType,
  extra: Partial<Column> = {},
): Column => ({ attnum, name, type, nullable: true, fill: null, ...extra });

/** A schema with primary key `id int4`. */
export const tableSchema = (
  table: string,
  columns: readonly Column[],
  extra: Partial<TableSchema> = {},
): TableSchema => ({
  source: 'shop',
  schema: 'public',
  table,
  version: 1,
  columns: [column(1, 'id', scalar('int4'), { nullable: false }), ...columns],
  keyRule: 'primary-key',
  key: ['id'],
  fullIdentity: false,
  ...extra,
});

export interface EventOptions {
  readonly lsn: number;
  /** null = as Debezium writes it, which knows no generations and no versions. */
  readonly gen?: number | null;
  readonly sv?: number;
  readonly tsUs?: number;
}

/** An event exactly as the native reader writes it (or Debezium, see `gen`). Number values are written with their own digits. */
export function event(
  schema: TableSchema,
  op: 'c' | 'u' | 'd' | 't',
  before: RowImage | null,
  after: RowImage | null,
  { lsn, gen = 1, sv = schema.version, tsUs = 1_700_000_000_123_456 }: EventOptions,
): LogRecord {
  const row = after ?? before ?? {};
  const key = Object.fromEntries(schema.key.map((name) => [name, row[name] ?? null]));
  const head = `"connector":"postgresql","name":"${schema.source}","schema":"${schema.schema}","table":"${schema.table}"`;
  const transaction = `"ts_ms":${Math.floor(tsUs / 1000)},"ts_us":${tsUs},"txId":7,"snapshot":"false"`;
  const ours = gen === null ? '' : `"gen":${gen},"sv":${sv},`;
  const text = `{"before":${JSON.stringify(before)},"after":${JSON.stringify(after)},"source":{${head},${transaction},${ours}"lsn":${lsn}},"op":"${op}","ts_ms":1700000000123}`;
  return { key: op === 't' ? null : Buffer.from(JSON.stringify(key)), value: Buffer.from(text) };
}
