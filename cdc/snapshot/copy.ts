import type pg from 'pg';
import { pgTable, type SnapshotTarget, type TableSchema } from '#kernel';
import { CopyOut } from './copy-out.ts';
import { snapshotFields } from './expressions.ts';

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
    new CopyOut(`COPY (SELECT ${snapshotFields(schema)} FROM ${from} WHERE ${range.predicate}) TO STDOUT`),
  );
  // Its end is seen by whoever reads it; an error may come before anyone does.
  copy.on('error', () => undefined);
  try {
    await target.load(schema, generation, copy, signal);
  } catch (error) {
    signal.throwIfAborted();
    // When the source fails the target fails too: the source's error is the cause.
    throw copy.failure ?? error;
  } finally {
    copy.destroy();
  }
  return copy.rowCount;
}
