import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { pgTable, type SnapshotTarget, type TableSchema } from '#kernel';
import { snapshotFields } from './expressions.ts';

const BUFFER_BYTES = 1024 * 1024;

/** Rows of one range straight from the source's COPY into the target, with back-pressure. Gives their number. */
export async function copyRange(
  client: pg.ClientBase,
  schema: TableSchema,
  generation: number,
  range: { readonly partitioned: boolean; readonly predicate: string },
  target: SnapshotTarget,
  signal: AbortSignal,
): Promise<number> {
  // ONLY leaves inheritance children out, which are tables of their own; a partitioned root has no rows itself.
  const from = `${range.partitioned ? '' : 'ONLY '}${pgTable(schema.schema, schema.table)}`;
  const copy = client.query(
    copyTo(`COPY (SELECT ${snapshotFields(schema)} FROM ${from} WHERE ${range.predicate}) TO STDOUT`, {
      highWaterMark: BUFFER_BYTES,
    }),
  );
  const body = new PassThrough({ highWaterMark: BUFFER_BYTES });
  const reading = pipeline(copy, body, { signal });
  const loading = target.load(schema, generation, body, signal).catch((error: unknown) => {
    body.destroy(); // stop reading what nobody takes
    throw error;
  });
  const [read, loaded] = await Promise.allSettled([reading, loading]);
  signal.throwIfAborted();
  // When the source fails the target fails too: the source's error is the cause. When the target
  // fails, reading ends early because of it.
  if (read.status === 'rejected' && !prematureClose(read.reason)) throw read.reason;
  if (loaded.status === 'rejected') throw loaded.reason;
  if (read.status === 'rejected') throw read.reason;
  return copy.rowCount;
}

const prematureClose = (error: unknown): boolean =>
  (error as { code?: string }).code === 'ERR_STREAM_PREMATURE_CLOSE';
