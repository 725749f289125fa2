import { HubError, toHubError, type Warehouse } from '#kernel';
import { type AppliedTable, Sharder } from '../tables/index.ts';
import type { Rows } from './rows.ts';

/** One part per insert, dates and floats read exactly, NULL in a deleted row's columns as their default. */
export const INSERT_SETTINGS = {
  async_insert: 0,
  date_time_input_format: 'basic',
  precise_float_parsing: 1,
  input_format_null_as_default: 1,
  input_format_parallel_parsing: 0,
  max_insert_block_size: 1_048_576,
} as const;

/** ClickHouse's codes for values it cannot read or hold; everything else is not the row's fault. */
const DATA_CODES = new Set([
  6, 26, 27, 32, 33, 38, 41, 53, 69, 70, 72, 117, 130, 131, 190, 321, 349, 376, 407, 441, 442, 467, 469, 505,
  691,
]);

/** ... and for a table that is not what it was when its state was read. */
const SHAPE_CODES = new Set([8, 10, 16, 20, 47, 60, 81, 218, 469]);

export const clickhouseCode = (error: unknown): number =>
  error instanceof HubError ? Number(error.details.clickhouseCode ?? 0) : 0;

export const isShapeError = (error: unknown): boolean => SHAPE_CODES.has(clickhouseCode(error));
const isDataError = (error: unknown): boolean =>
  DATA_CODES.has(clickhouseCode(error)) && !isShapeError(error);

export interface Rejected {
  readonly row: number;
  readonly error: HubError;
}

/**
 * Inserts rows; if ClickHouse refuses the data, halves the set until the guilty rows are alone and
 * returns them. Any other error is thrown. Inserting some rows twice is harmless, so halves need no
 * transaction. In a cluster each row goes to the shard of its key, the shards side by side.
 */
export async function insertRows(
  warehouse: Warehouse,
  applied: AppliedTable,
  statement: string,
  rows: Rows,
  indices: readonly number[],
  maxRejected: number,
  signal: AbortSignal,
): Promise<Rejected[]> {
  const { cluster } = warehouse;
  if (cluster === undefined) return insertInto(warehouse, {}, statement, rows, indices, maxRejected, signal);
  const sharder = new Sharder(applied);
  const parts: number[][] = Array.from({ length: applied.shards }, () => []);
  for (const row of indices) {
    parts[sharder.of(rows.buffer, rows.starts[row]!, rows.ends[row]!)]!.push(row);
  }
  const shards = await cluster.shards();
  const rejected = await Promise.all(
    parts.map((part, index) =>
      insertInto(shards[index]!, cluster.insertSettings, statement, rows, part, maxRejected, signal),
    ),
  );
  return rejected.flat();
}

async function insertInto(
  server: Warehouse,
  settings: Readonly<Record<string, string | number>>,
  statement: string,
  rows: Rows,
  indices: readonly number[],
  maxRejected: number,
  signal: AbortSignal,
): Promise<Rejected[]> {
  if (indices.length === 0) return [];
  try {
    await server.insert(statement, 'TabSeparated', rows.body(indices), {
      settings: { ...INSERT_SETTINGS, ...settings },
      signal,
    });
    return [];
  } catch (error) {
    if (!isDataError(error)) throw error;
    if (indices.length === 1) return [{ row: indices[0]!, error: toHubError(error) }];
  }
  const half = indices.length >> 1;
  const [first, second] = [indices.slice(0, half), indices.slice(half)];
  const rejected = await insertInto(server, settings, statement, rows, first, maxRejected, signal);
  if (rejected.length > maxRejected) return rejected;
  const others = await insertInto(server, settings, statement, rows, second, maxRejected, signal);
  return [...rejected, ...others];
}
