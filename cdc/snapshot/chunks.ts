import type { Pool } from 'pg';
import type { TableId } from '#kernel';

export interface Chunk {
  readonly chunk: number;
  readonly predicate: string;
  readonly done: boolean;
  readonly rows: number;
}

/** What must hold for the recorded ranges to mean the same rows when a snapshot is resumed. */
export interface Anchor {
  /** Storage files of the table when it was split. */
  readonly storage: string;
  /** Oldest transaction then running: rows written by it or later may have moved since. null = not known. */
  readonly xmin: string | null;
  /** All rows are laid down; only the swap may be missing. */
  readonly complete: boolean;
}

const BY_ID = 'source = $1 AND schema_name = $2 AND table_name = $3';
const idOf = (id: TableId): [string, string, string] => [id.source, id.schema, id.table];
/** Row -1 of a snapshot's chunks holds its anchor. */
const ANCHOR = -1;

/** The progress of one table's snapshot in `bac.snapshot_chunks`. */
export function chunkStore(pool: Pool, id: TableId, generation: number) {
  return {
    /** null = no snapshot of this generation has begun. */
    async load(): Promise<{ anchor: Anchor; chunks: Chunk[] } | null> {
      const { rows } = await pool.query<{
        chunk: number;
        predicate: string;
        done: boolean;
        row_count: string;
      }>(
        `SELECT chunk, predicate, done, row_count FROM bac.snapshot_chunks
         WHERE ${BY_ID} AND generation = $4 ORDER BY chunk`,
        [...idOf(id), generation],
      );
      const anchor = rows.find((row) => row.chunk === ANCHOR);
      if (!anchor) return null;
      const { storage, xmin } = JSON.parse(anchor.predicate) as { storage: string; xmin: string | null };
      return {
        anchor: { storage, xmin, complete: anchor.done },
        chunks: rows
          .filter((row) => row.chunk !== ANCHOR)
          .map(({ chunk, predicate, done, row_count }) => ({
            chunk,
            predicate,
            done,
            rows: Number(row_count),
          })),
      };
    },
    /** Records the ranges in one statement, in place of what any earlier snapshot of the table left. */
    async save(anchor: Omit<Anchor, 'complete'>, predicates: readonly string[]): Promise<void> {
      await pool.query(`DELETE FROM bac.snapshot_chunks WHERE ${BY_ID}`, idOf(id));
      await pool.query(
        `INSERT INTO bac.snapshot_chunks (source, schema_name, table_name, generation, chunk, predicate)
         SELECT $1, $2, $3, $4, t.place::int4 - 2, t.predicate FROM unnest($5::text[]) WITH ORDINALITY AS t(predicate, place)`,
        [...idOf(id), generation, [JSON.stringify(anchor), ...predicates]],
      );
    },
    async done(chunk: number, rows: number): Promise<void> {
      await pool.query(
        `UPDATE bac.snapshot_chunks SET done = true, row_count = $6 WHERE ${BY_ID} AND generation = $4 AND chunk = $5`,
        [...idOf(id), generation, chunk, rows],
      );
    },
    async complete(): Promise<void> {
      await pool.query(
        `UPDATE bac.snapshot_chunks SET done = true WHERE ${BY_ID} AND generation = $4 AND chunk = ${ANCHOR}`,
        [...idOf(id), generation],
      );
    },
    async forget(): Promise<void> {
      await pool.query(`DELETE FROM bac.snapshot_chunks WHERE ${BY_ID}`, idOf(id));
    },
  };
}

export type ChunkStore = ReturnType<typeof chunkStore>;
