import type pg from 'pg';
import { type Column, pgIdent, pgLiteral, pgTable, type TableSchema } from '#kernel';
import type { SourceProfile } from '../catalog/index.ts';

/** A table's ranges as SQL conditions; together they hold every row once. */
export type Plan = readonly string[];

/** No chunk covers more of the heap than this, however few rows it is. */
const MAX_CHUNK_BLOCKS = 32_768;

/**
 * Splits a table into ranges of about `chunkRows` rows: by physical address where the server can
 * (no index needed, even, never a long search), else by hash or by the first key column.
 */
export async function planChunks(
  client: pg.ClientBase,
  schema: TableSchema,
  facts: { readonly estimatedRows: number; readonly hashColumns: readonly string[] },
  profile: SourceProfile,
  chunkRows: number,
): Promise<Plan> {
  const { rows } = await client.query<{ version: number; kind: string; blocks: number }>(
    `SELECT current_setting('server_version_num')::int4 AS version, c.relkind::text AS kind,
       coalesce((WITH RECURSIVE part(oid) AS (
          SELECT c.oid UNION ALL SELECT i.inhrelid FROM part p JOIN pg_inherits i ON i.inhparent = p.oid)
        SELECT max(pg_relation_size(part.oid)) FROM part), 0)::float8 / 8192 AS blocks
     FROM pg_class c WHERE c.oid = $1::regclass`,
    [pgTable(schema.schema, schema.table)],
  );
  const { version, blocks } = rows[0]!;
  const wanted = Math.ceil(facts.estimatedRows / chunkRows);
  if (profile.tidRanges && version >= 140_000) {
    const perChunk = Math.min(Math.ceil(blocks / Math.max(1, wanted)), MAX_CHUNK_BLOCKS);
    return blocks <= perChunk ? ['true'] : tidRanges(blocks, perChunk);
  }
  if (wanted <= 1) return ['true'];
  if (profile.hashFunction && facts.hashColumns.length > 0) {
    return hashRanges(profile.hashFunction, facts.hashColumns, wanted);
  }
  return keyRanges(client, schema, facts.estimatedRows, wanted);
}

function tidRanges(blocks: number, perChunk: number): string[] {
  const ranges: string[] = [];
  for (let start = 0; start < blocks; start += perChunk) {
    const end = start + perChunk;
    // The last range is open: the table may have grown since.
    ranges.push(`ctid >= '(${start},0)'::tid${end >= blocks ? '' : ` AND ctid < '(${end},0)'::tid`}`);
  }
  return ranges;
}

const HASHES = 65_536;

function hashRanges(hash: string, columns: readonly string[], wanted: number): string[] {
  const call = `${hash}(${columns.map(pgIdent).join(', ')})`;
  const count = Math.min(wanted, HASHES);
  const bound = (index: number): number => Math.floor((HASHES * index) / count);
  return Array.from(
    { length: count },
    (_, index) => `${call} >= ${bound(index)} AND ${call} < ${bound(index + 1)}`,
  );
}

/** Integer keys that are used densely are cut evenly; others where the planner's statistics see even shares. */
async function keyRanges(
  client: pg.ClientBase,
  schema: TableSchema,
  estimatedRows: number,
  wanted: number,
): Promise<string[]> {
  const column = schema.columns.find(({ name }) => name === schema.key[0]);
  if (!column || column.nullable || schema.keyRule === 'whole-row') return ['true'];
  const bounds =
    (await evenBounds(client, schema, column, estimatedRows, wanted)) ??
    (await histogramBounds(client, schema, column, wanted));
  if (bounds.length === 0) return ['true'];
  const key = pgIdent(column.name);
  const ranges = bounds.map((bound, index) =>
    index === 0 ? `${key} < ${bound}` : `${key} >= ${bounds[index - 1]} AND ${key} < ${bound}`,
  );
  return [...ranges, `${key} >= ${bounds.at(-1)}`];
}

async function evenBounds(
  client: pg.ClientBase,
  schema: TableSchema,
  column: Column,
  estimatedRows: number,
  wanted: number,
): Promise<string[] | null> {
  if (!['int2', 'int4', 'int8'].includes(column.type.kind)) return null;
  const key = pgIdent(column.name);
  const { rows } = await client.query<{ low: string | null; high: string | null }>(
    `SELECT min(${key})::text AS low, max(${key})::text AS high FROM ${pgTable(schema.schema, schema.table)}`,
  );
  const { low, high } = rows[0]!;
  if (low === null || high === null) return [];
  const first = BigInt(low);
  const span = BigInt(high) - first + 1n;
  if (span > BigInt(Math.max(1, estimatedRows)) * 4n) return null;
  return Array.from({ length: wanted - 1 }, (_, index) =>
    String(first + (span * BigInt(index + 1)) / BigInt(wanted)),
  ).map((bound) => (bound.startsWith('-') ? `(${bound})` : bound));
}

async function histogramBounds(
  client: pg.ClientBase,
  schema: TableSchema,
  column: Column,
  wanted: number,
): Promise<string[]> {
  const { rows } = await client.query<{ bounds: string[] | null; type: string }>(
    `SELECT s.histogram_bounds::text::text[] AS bounds, format_type(a.atttypid, a.atttypmod) AS type
     FROM pg_attribute a LEFT JOIN pg_stats s
       ON s.schemaname = $2 AND s.tablename = $3 AND s.attname = a.attname AND NOT s.inherited
     WHERE a.attrelid = $1::regclass AND a.attnum = $4`,
    [pgTable(schema.schema, schema.table), schema.schema, schema.table, column.attnum],
  );
  const bounds = rows[0]?.bounds ?? [];
  const inner = bounds.slice(1, -1);
  const step = Math.max(1, Math.ceil((inner.length + 1) / wanted));
  return inner
    .filter((_, index) => (index + 1) % step === 0)
    .map((bound) => `${pgLiteral(bound)}::${rows[0]!.type}`);
}
