import type { Pool, PoolClient } from 'pg';
import {
  HubError,
  type Logger,
  pgTable,
  type Registry,
  type SnapshotTarget,
  type TableSchema,
  tableKey,
} from '#kernel';
import { type CatalogTable, introspectTables, profileOf, type SourceKind } from '../catalog/index.ts';
import { slotNameOf } from '../slots/index.ts';
import { type Anchor, type Chunk, type ChunkStore, chunkStore } from './chunks.ts';
import { copyRange } from './copy.ts';
import { momentError, snapshotError } from './failures.ts';
import { planChunks } from './plan.ts';
import { afterSlot } from './read-time.ts';
import { backOff } from './retry.ts';
import { createGate, openSessions } from './sessions.ts';

const ONE_PASS_ROWS = 50_000;

export interface SnapshotProgress {
  readonly schema: string;
  readonly table: string;
  readonly rows: number;
  readonly estimatedRows: number;
  readonly chunks: number;
  readonly chunksDone: number;
}

export interface SnapshotterOptions {
  readonly source: string;
  /** Connection string of the source, secret included. */
  readonly url: string;
  readonly kind: SourceKind;
  /** The hub's own state (`bac.snapshot_chunks`). */
  readonly pool: Pool;
  readonly registry: Registry;
  readonly target: SnapshotTarget;
  readonly log: Logger;
  /** Chunks read at once over all tables of the source. */
  readonly workers: number;
  readonly chunkRows: number;
  readonly onProgress?: (progress: SnapshotProgress) => void;
}

export interface Snapshotter {
  /**
   * Lays down all rows of one table as `generation` and swaps them in; resolves when readers see them.
   * Resumes where an earlier attempt at the same generation stopped. Transient failures (a lock, a lost
   * connection, a restarting engine) are retried without end, holding no session meanwhile, and shown as
   * the table's `error`. The registry's state becomes `snapshotting`, then `streaming`.
   * Rejects with TABLE_DROPPED, SNAPSHOT_SHAPE_CHANGED (begin anew with the new shape), TABLE_NOT_READABLE,
   * the target's own lasting errors, or the signal's reason.
   */
  snapshot(schema: TableSchema, generation: number, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** One per source: its sessions are shared by all snapshots that run at once. */
export function createSnapshotter(options: SnapshotterOptions): Snapshotter {
  const sessions = openSessions(options.url, options.workers);
  // Sessions that only hold a moment in time open are apart, lest they take the workers' places.
  const keepers = openSessions(options.url, options.workers);
  const gate = createGate(options.workers);
  return {
    async snapshot(schema, generation, signal) {
      const run = new TableRun(options, { sessions, keepers }, schema, generation, signal);
      for (let attempt = 0; ; attempt += 1) {
        try {
          await gate(() => run.attempt());
          return;
        } catch (thrown) {
          signal.throwIfAborted();
          const error = snapshotError(thrown, schema);
          if (error.disposition !== 'transient') throw error;
          options.log.warn({ table: tableKey(schema), err: error }, 'snapshot interrupted, will go on');
          await options.registry.updateTable(schema, { error: error.toJSON() });
          await backOff(run.takeProgressed() ? 0 : attempt, signal);
        }
      }
    },
    async close() {
      await Promise.all([sessions.close(), keepers.close()]);
    },
  };
}

type Sessions = ReturnType<typeof openSessions>;

class TableRun {
  readonly #options: SnapshotterOptions;
  readonly #pools: { readonly sessions: Sessions; readonly keepers: Sessions };
  readonly #schema: TableSchema;
  readonly #generation: number;
  readonly #signal: AbortSignal;
  readonly #store: ChunkStore;
  #progressed = false;

  constructor(
    options: SnapshotterOptions,
    pools: { readonly sessions: Sessions; readonly keepers: Sessions },
    schema: TableSchema,
    generation: number,
    signal: AbortSignal,
  ) {
    this.#options = options;
    this.#pools = pools;
    this.#schema = schema;
    this.#generation = generation;
    this.#signal = signal;
    this.#store = chunkStore(options.pool, schema, generation);
  }

  takeProgressed(): boolean {
    const progressed = this.#progressed;
    this.#progressed = false;
    return progressed;
  }

  async attempt(): Promise<void> {
    const begun = await this.#store.load();
    if (!begun?.anchor.complete) {
      await this.#lay(begun);
      // From here on only the swap may be missing: building anew would swap an empty table in.
      await this.#store.complete();
    }
    await this.#options.target.finish(this.#schema, this.#generation);
    await this.#options.registry.updateTable(this.#schema, { state: 'streaming', error: null });
  }

  async #lay(begun: { anchor: Anchor; chunks: Chunk[] } | null): Promise<void> {
    const { target } = this.#options;
    const catalog = await this.#pools.sessions.use((client) => this.#catalog(client), this.#signal);
    const storage = catalog.schema.origin!.storage;
    // A rewritten table has its rows elsewhere: the recorded ranges say nothing about them.
    const resume = begun !== null && begun.anchor.storage === storage ? begun : null;
    await this.#moment(async (join, xmin) => {
      let chunks: readonly Chunk[];
      await target.begin(this.#schema, this.#generation, resume !== null);
      if (resume) chunks = topUp(resume);
      else {
        const plan = await this.#pools.sessions.use((client) => this.#plan(client, catalog), this.#signal);
        await this.#store.save({ storage, xmin }, plan);
        chunks = plan.map((predicate, chunk) => ({ chunk, predicate, done: false, rows: 0 }));
      }
      await this.#copyAll(chunks, catalog, join);
    });
    const after = await this.#pools.sessions.use((client) => this.#catalog(client), this.#signal);
    if (after.schema.origin!.storage !== storage) {
      throw new HubError('SNAPSHOT_TABLE_REWRITTEN', 'The table was rewritten while it was being read.', {
        disposition: 'transient',
      });
    }
  }

  /**
   * Lets `work` read one moment of the source from many sessions, where the source can do that:
   * `join` brings a session's transaction to it, `xmin` is the oldest transaction running at it.
   */
  async #moment(
    work: (join: (client: PoolClient) => Promise<void>, xmin: string | null) => Promise<void>,
  ): Promise<void> {
    const profile = profileOf(this.#options.kind);
    if (!profile.exportSnapshot) {
      const slot = slotNameOf(this.#schema.source);
      await work(afterSlot(profile, slot, this.#pools.keepers, this.#signal), null);
      return;
    }
    await this.#pools.keepers.use(async (keeper) => {
      await keeper.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      const { rows } = await keeper.query<{ id: string; xmin: string }>(
        'SELECT pg_export_snapshot() AS id, (txid_snapshot_xmin(txid_current_snapshot()) % 4294967296)::text AS xmin',
      );
      const { id, xmin } = rows[0]!;
      await work(async (client) => {
        await client.query(`SET TRANSACTION SNAPSHOT '${id}'`).catch((error: unknown) => {
          throw momentError(error, this.#schema);
        });
      }, xmin);
      await keeper.query('COMMIT');
    }, this.#signal);
  }

  async #catalog(client: PoolClient): Promise<CatalogTable> {
    const { schema, table, source } = this.#schema;
    try {
      const [found] = await introspectTables(client, source, { tables: [`${schema}.${table}`] });
      return found!;
    } catch (error) {
      if (!(error instanceof HubError) || error.code !== 'TABLE_NOT_FOUND') throw error;
      throw new HubError('TABLE_DROPPED', `${pgTable(schema, table)} is not there any more.`, {
        cause: error,
      });
    }
  }

  async #plan(client: PoolClient, catalog: CatalogTable): Promise<readonly string[]> {
    await this.#options.registry.updateTable(this.#schema, {
      state: 'snapshotting',
      generation: this.#generation,
      snapshotRows: 0,
      estimatedRows: catalog.estimatedRows,
      error: null,
    });
    return planChunks(client, this.#schema, catalog, profileOf(this.#options.kind), this.#options.chunkRows);
  }

  async #copyAll(
    chunks: readonly Chunk[],
    catalog: CatalogTable,
    join: (client: PoolClient) => Promise<void>,
  ): Promise<void> {
    const { workers, target } = this.#options;
    // A small table is done sooner in one pass.
    const cheapPasses = profileOf(this.#options.kind).tidRanges && catalog.estimatedRows > ONE_PASS_ROWS;
    const failed = new AbortController();
    const signal = AbortSignal.any([this.#signal, failed.signal]);
    const todo = chunks.filter((chunk) => !chunk.done);
    let rows = chunks.reduce((sum, chunk) => sum + (chunk.done ? chunk.rows : 0), 0);
    let left = todo.length;
    const worker = async (): Promise<void> => {
      for (let chunk = todo.shift(); chunk; chunk = todo.shift()) {
        const { predicate } = chunk;
        const count = await this.#pools.sessions.use(async (client) => {
          await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
          await join(client);
          const range = { partitioned: catalog.partitioned, predicate, cheapPasses };
          const copied = await copyRange(client, this.#schema, this.#generation, range, target, signal);
          await client.query('COMMIT');
          return copied;
        }, signal);
        // A top-up has no number of its own: it is done again at every resume.
        if (chunk.chunk >= 0) {
          await this.#store.done(chunk.chunk, count);
          rows += count;
        }
        left -= 1;
        this.#progressed = true;
        await this.#progress(rows, catalog.estimatedRows, chunks.length, chunks.length - left);
      }
    };
    const outcomes = await Promise.allSettled(
      Array.from({ length: Math.min(workers, todo.length) }, () =>
        worker().catch((error: unknown) => {
          failed.abort(error);
          throw error;
        }),
      ),
    );
    this.#signal.throwIfAborted();
    if (outcomes.some((outcome) => outcome.status === 'rejected')) throw failed.signal.reason;
  }

  async #progress(rows: number, estimatedRows: number, chunks: number, chunksDone: number): Promise<void> {
    await this.#options.registry.updateTable(this.#schema, {
      state: 'snapshotting',
      snapshotRows: rows,
      error: null,
    });
    const { schema, table } = this.#schema;
    this.#options.onProgress?.({ schema, table, rows, estimatedRows, chunks, chunksDone });
  }
}

/**
 * What is left of an interrupted snapshot, and of the done ranges those rows that were written since:
 * an UPDATE may have moved a row from a range not yet read into one that was.
 */
function topUp({ anchor, chunks }: { anchor: Anchor; chunks: readonly Chunk[] }): Chunk[] {
  const done = chunks.filter((chunk) => chunk.done);
  if (anchor.xmin === null || done.length === 0) return [...chunks];
  const since = `age(xmin) <= age('${anchor.xmin}'::xid)`;
  const ranges = done.map(({ predicate }) => `(${predicate})`).join(' OR ');
  const all = done.length === chunks.length;
  const predicate = all ? since : `${since} AND (${ranges})`;
  return [...chunks, { chunk: -2, predicate, done: false, rows: 0 }];
}
