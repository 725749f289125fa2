import {
  type ColumnType,
  type IncompleteRow,
  type LogRecord,
  type TableSchema,
  type TopicBatch,
  topicOf,
} from '#kernel';
import type { SourceClient } from '../capture/source-client.ts';
import type { CapturedTable } from '../capture/table.ts';
import { currentValues, visible } from '../capture/unchanged.ts';

/**
 * Whole rows for events of changed keys that left unchanged values out: as the source has them now, under the
 * change's own LSN. A value that is newer does no harm, since the change that made it has a higher LSN; a row
 * that is gone by now was deleted or moved on by a later change. Values read as capture/unchanged.ts does.
 */
export async function completeRows(
  client: SourceClient,
  table: CapturedTable,
  partition: number,
  rows: readonly IncompleteRow[],
): Promise<TopicBatch | null> {
  const schema = table.versions.at(-1);
  const oid = schema?.origin?.oid;
  if (!schema || oid === undefined) return null;
  const attnumOf = new Map(
    table.versions.flatMap(({ columns }) => columns.map((one) => [one.name, one.attnum])),
  );
  const wanted = schema.columns.map(({ attnum }) => attnum);
  const records: LogRecord[] = [];
  for (const row of rows) {
    const key = Object.entries(row.key).map(([name, text]) => ({ attnum: attnumOf.get(name) ?? 0, text }));
    if (key.length === 0) continue;
    const values = await client.use(async (connection) => {
      if (row.txId > 0 && client.profile.rowTransactions) await visible(connection, row.txId);
      return currentValues(connection, oid, key, wanted);
    });
    if (values) records.push(wholeEvent(schema, table.generation, values, row));
  }
  return records.length === 0 ? null : { topic: topicOf(schema), partition, records };
}

/** The event as the native reader writes it (kernel/change-event.ts). */
function wholeEvent(
  schema: TableSchema,
  generation: number,
  values: ReadonlyMap<number, string | null>,
  { lsn, txId, committedAt }: IncompleteRow,
): LogRecord {
  const image = (names: readonly string[]): string =>
    `{${schema.columns
      .filter(({ name, attnum }) => names.includes(name) && values.has(attnum))
      .map(
        ({ name, attnum, type }) => `${JSON.stringify(name)}:${valueJson(type, values.get(attnum) ?? null)}`,
      )
      .join(',')}}`;
  const source = {
    connector: 'postgresql',
    name: schema.source,
    schema: schema.schema,
    table: schema.table,
    ts_ms: Math.floor(committedAt / 1000),
    ts_us: committedAt,
    txId,
    snapshot: 'false',
    gen: generation,
    sv: schema.version,
    lsn,
  };
  const after = image(schema.columns.map(({ name }) => name));
  const text = `{"before":null,"after":${after},"source":${JSON.stringify(source)},"op":"c","ts_ms":${Date.now()}}`;
  return { key: Buffer.from(image(schema.key)), value: Buffer.from(text) };
}

/** A value's source text in the native encoding. */
function valueJson({ kind }: ColumnType, text: string | null): string {
  if (text === null) return 'null';
  switch (kind) {
    case 'bool':
      return text === 't' ? 'true' : 'false';
    case 'int2':
    case 'int4':
    case 'int8':
      return text;
    case 'float4':
    case 'float8':
      return /^-?\d/.test(text) ? text : JSON.stringify(text);
    case 'bytes':
      return JSON.stringify(Buffer.from(text.slice(2), 'hex').toString('base64'));
    default:
      return JSON.stringify(text);
  }
}
