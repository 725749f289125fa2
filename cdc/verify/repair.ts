import { setTimeout as delay } from 'node:timers/promises';
import type { PoolClient } from 'pg';
import {
  type Appended,
  type ChangeLog,
  type Column,
  chLiteral,
  chTable,
  HubError,
  type LogRecord,
  pgIdent,
  pgTable,
  type TableEntry,
  type TableSchema,
  type TopicBatch,
  type Warehouse,
  warehouseTableOf,
} from '#kernel';
import type { SourceProfile } from '../catalog/index.ts';
import { Arena, TableEncoder, TransactionBlock } from '../events/index.ts';
import { NULL, parseLsn, type Relation, TEXT, type Tuple } from '../pgoutput/index.ts';
import { isNull, sourceHash, warehouseHash, warehouseIdent } from './canonical.ts';
import type { Suspect } from './settle.ts';

export interface RepairContext {
  readonly schema: TableSchema;
  readonly entry: TableEntry;
  readonly partitioned: boolean;
  readonly utf8: boolean;
  readonly profile: SourceProfile;
  readonly log: ChangeLog;
  readonly warehouse: Warehouse;
  readonly signal: AbortSignal;
  readonly run: <T>(work: (client: PoolClient) => Promise<T>) => Promise<T>;
  /** Position up to which the warehouse is complete, for sources without a write position. */
  readonly watermark: () => Promise<number>;
}

/** Transactions open longer than this put the repair off. */
const IN_FLIGHT_MS = 30_000;
const POLL_MS = 50;

/**
 * Sends the source's rows (a tombstone where there is none) through the log as change events, so that
 * they take the way of every change: typed, kept in the history, dead-lettered if they cannot be stored.
 *
 * Their position is X - 1, X being the source's write position, and the rows are read once every
 * transaction has ended that was running when X was read. So each change below X is in the row
 * (committed) or void, and each change from X on has a higher version and overrides the repair: it never
 * hides a newer change. No record begins at X - 1: records are longer than a byte.
 * Resolves to where in the log they are.
 */
export async function repair(
  context: RepairContext,
  suspects: readonly Suspect[],
): Promise<readonly Appended[]> {
  const lsn = await fence(context);
  const rows = await readRows(context, suspects);
  const gone = suspects.filter((suspect) => !rows.has(suspect.id));
  const tombstones = gone.length > 0 ? await readKeys(context, gone) : [];
  const { log, entry } = context;
  const topic = (await log.topics(entry.topic)).find((info) => info.topic === entry.topic);
  const batches = encode(context, topic?.partitions ?? 1, lsn, [...rows.values()], tombstones);
  return batches.length > 0 ? log.append(batches) : [];
}

/** The version's position; resolves when nothing below it can still commit. */
async function fence({ profile, run, watermark, signal }: RepairContext): Promise<number> {
  // Positions of YugabyteDB are in commit order: all up to the watermark is committed.
  if (profile.durablePosition === null || profile.inFlight === null) return watermark();
  const { durablePosition, inFlight } = profile;
  const { lsn, mark } = await run(async (client) => {
    const position = await client.query<{ lsn: string }>(durablePosition);
    const marked = await client.query<{ mark: string }>(inFlight.mark);
    return { lsn: parseLsn(position.rows[0]!.lsn) - 1, mark: marked.rows[0]!.mark };
  });
  const end = performance.now() + IN_FLIGHT_MS;
  for (;;) {
    const { rows } = await run((client) => client.query<{ passed: boolean }>(inFlight.passed, [mark]));
    if (rows[0]!.passed) return lsn;
    if (performance.now() > end) {
      throw new HubError(
        'REPAIR_BLOCKED',
        'A transaction at the source has been open for too long to repair rows safely.',
        {
          next: 'End it (`SELECT * FROM pg_stat_activity WHERE xact_start IS NOT NULL`) and verify again.',
          disposition: 'transient',
        },
      );
    }
    await delay(POLL_MS, undefined, { signal });
  }
}

type SourceTexts = readonly (string | null)[];

/** Source text of every column, as the change stream would carry it. */
async function readRows(
  { schema, partitioned, utf8, run }: RepairContext,
  suspects: readonly Suspect[],
): Promise<Map<string, SourceTexts>> {
  const keys = schema.key.map((name) => schema.columns.find((column) => column.name === name)!);
  const id = sourceHash(keys, utf8);
  const texts = schema.columns.map(({ name }) => {
    const value = pgIdent(name);
    return `CASE WHEN ${isNull(value)} THEN NULL ELSE concat(${value}) END`;
  });
  const { rows } = await run((client) =>
    client.query<{ id: string; texts: (string | null)[] }>(
      `SELECT ${id} AS id, ARRAY[${texts.join(', ')}]::text[] AS texts
       FROM ${partitioned ? '' : 'ONLY '}${pgTable(schema.schema, schema.table)} WHERE ${id} = ANY ($1)`,
      [suspects.map((suspect) => suspect.id)],
    ),
  );
  return new Map(rows.map((row) => [row.id, row.texts]));
}

/** Key columns of rows that only the warehouse has, in the source's text form. */
async function readKeys(
  { schema, warehouse, signal }: RepairContext,
  gone: readonly Suspect[],
): Promise<SourceTexts[]> {
  const keys = schema.key.map((name) => schema.columns.find((column) => column.name === name)!);
  if (keys.some((column) => column.type.kind === 'array')) {
    throw new HubError('REPAIR_IMPOSSIBLE', 'Rows recognised by an array cannot be removed one by one.', {
      next: `Take the table's snapshot again: bac connect resnapshot ${schema.source} --tables ${schema.schema}.${schema.table}`,
    });
  }
  const at = warehouseTableOf(schema);
  const rows = await warehouse.query<{ texts: (string | null)[] }>(
    `SELECT [${keys.map(warehouseText).join(', ')}] AS texts FROM ${chTable(at.database, at.table)} FINAL
     WHERE _deleted = 0 AND ${warehouseHash(keys)} IN (${gone.map((suspect) => chLiteral(suspect.id)).join(', ')})`,
    { signal },
  );
  return rows.map(({ texts }) =>
    schema.columns.map((column) => {
      const place = schema.key.indexOf(column.name);
      return place < 0 ? null : (texts[place] ?? null);
    }),
  );
}

function warehouseText(column: Column): string {
  const value = warehouseIdent(column.name);
  const name = chLiteral(column.name);
  const plain = ((): string => {
    switch (column.type.kind) {
      case 'bool':
        return `if(${value}, 't', 'f')`;
      case 'bytes':
        return `concat('\\\\x', lower(hex(${value})))`;
      case 'timestamp':
        return `replaceRegexpOne(toString(${value}), '\\\\.?0+$', '')`;
      case 'timestamptz':
        return `concat(replaceRegexpOne(toString(${value}), '\\\\.?0+$', ''), '+00')`;
      default:
        return `toString(${value})`;
    }
  })();
  return `if(mapContains(_raw, ${name}), _raw[${name}], if(isNull(${value}), NULL, ${plain}))`;
}

function encode(
  { schema, entry }: RepairContext,
  partitions: number,
  lsn: number,
  rows: readonly SourceTexts[],
  tombstones: readonly SourceTexts[],
): TopicBatch[] {
  const relation: Relation = {
    oid: schema.origin?.oid ?? 0,
    schema: schema.schema,
    table: schema.table,
    identity: schema.fullIdentity ? 'f' : 'd',
    columns: schema.columns.map(({ name }) => ({
      name,
      typeOid: 0,
      typmod: -1,
      partOfKey: schema.key.includes(name),
    })),
  };
  const batches = new Map<number, LogRecord[]>();
  const encoder = new TableEncoder({
    schema,
    relation,
    generation: entry.generation,
    partitions,
    emit: (partition, { key, value }) => {
      // The arena is used again for the next row.
      const record = { key: key && Buffer.from(key), value: value && Buffer.from(value) };
      batches.set(partition, [...(batches.get(partition) ?? []), record]);
    },
  });
  const now = Date.now();
  encoder.tick(now);
  const transaction = new TransactionBlock();
  transaction.set(now * 1000, 0);
  const oid = relation.oid;
  const arena = new Arena();
  const whole = schema.keyRule === 'whole-row';
  for (const texts of rows) {
    const tuple = tupleOf(texts);
    encoder.insert({ kind: 'insert', oid, row: tuple }, spanOf(tuple), lsn, transaction, arena);
    arena.reset();
  }
  for (const texts of tombstones) {
    const tuple = tupleOf(texts);
    encoder.delete(
      { kind: 'delete', oid, old: tuple, oldKind: whole ? 'full' : 'key' },
      spanOf(tuple),
      lsn,
      transaction,
      arena,
    );
    arena.reset();
  }
  return [...batches].map(([partition, records]) => ({ topic: entry.topic, partition, records }));
}

const spanOf = (tuple: Tuple): { start: number; end: number } => ({ start: 0, end: tuple.buffer.length });

/** A row in the form in which it comes over the wire. */
function tupleOf(texts: SourceTexts): Tuple {
  const parts = texts.map((text) => (text === null ? null : Buffer.from(text)));
  const tuple: Tuple = {
    buffer: Buffer.concat(parts.filter((part) => part !== null)),
    count: texts.length,
    kinds: new Uint8Array(texts.length),
    starts: new Uint32Array(texts.length),
    ends: new Uint32Array(texts.length),
  };
  let at = 0;
  for (const [index, part] of parts.entries()) {
    tuple.kinds[index] = part === null ? NULL : TEXT;
    tuple.starts[index] = at;
    at += part?.length ?? 0;
    tuple.ends[index] = at;
  }
  return tuple;
}
