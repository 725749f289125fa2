import type { Readable } from 'node:stream';
import type { RowForm } from '../interchange.ts';
import type { TableSchema } from '../tables.ts';

/**
 * Where capture lays down a table's snapshot. Implemented by clickhouse/. A snapshot is built aside
 * and takes the table's place in one step, so readers see the old rows until the new are complete.
 * All calls are idempotent: a crash at any point is healed by calling again.
 */
export interface SnapshotTarget {
  /**
   * Creates the table for `generation` aside, empty, with `schema`'s shape. `resume: false` drops
   * what an earlier attempt at the same generation left; true keeps its rows.
   */
  begin(schema: TableSchema, generation: number, resume: boolean): Promise<void>;
  /** Loads one chunk: `rows` is COPY text as in kernel/interchange.ts. Rows get version (generation, 0). */
  load(
    schema: TableSchema,
    generation: number,
    rows: Readable,
    form: RowForm,
    signal?: AbortSignal,
  ): Promise<void>;
  /** Puts the built table in the live table's place (also the first one) and drops the old. */
  finish(schema: TableSchema, generation: number): Promise<void>;
  /** Drops the table and what is aside of it. */
  drop(schema: Pick<TableSchema, 'source' | 'schema' | 'table'>): Promise<void>;
}
