import type pg from 'pg';
import { pgTable, type SnapshotTarget, type TableSchema } from '#kernel';
import { CopyOut } from './copy-out.ts';
import { type Pass, snapshotPasses } from './expressions.ts';

export interface Range {
  readonly partitioned: boolean;
  readonly predicate: string;
  /** The server reads the same range again at little cost. */
  readonly cheapPasses: boolean;
}

/**
 * Rows of one range straight from the source's COPY into the target, with back-pressure; the session's
 * transaction sees one moment. Gives their number.
 */
export async function copyRange(
  client: pg.ClientBase,
  schema: TableSchema,
  generation: number,
  range: Range,
  target: SnapshotTarget,
  signal: AbortSignal,
): Promise<number> {
  let rows = 0;
  for (const pass of snapshotPasses(schema, range.cheapPasses)) {
    const copy = client.query(new CopyOut(copySql(schema, range, pass)));
    // Its end is seen by whoever reads it; an error may come before anyone does.
    copy.on('error', () => undefined);
    try {
      await target.load(schema, generation, copy, pass.form, signal);
    } catch (error) {
      signal.throwIfAborted();
      // When the source fails the target fails too: the source's error is the cause.
      throw copy.failure ?? error;
    } finally {
      copy.destroy();
    }
    rows += copy.rowCount;
  }
  return rows;
}

function copySql(schema: TableSchema, range: Range, { fields, where }: Pass): string {
  // ONLY leaves inheritance children out, which are tables of their own; a partitioned root has no rows itself.
  const from = `${range.partitioned ? '' : 'ONLY '}${pgTable(schema.schema, schema.table)}`;
  const condition = where === null ? range.predicate : `(${range.predicate}) AND (${where})`;
  return `COPY (SELECT ${fields} FROM ${from} WHERE ${condition}) TO STDOUT`;
}
