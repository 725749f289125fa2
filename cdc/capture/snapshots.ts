import { setTimeout as sleep } from 'node:timers/promises';
import type { TableSchema } from '#kernel';
import type { Snapshotter } from '../snapshot/index.ts';
import type { CapturedTable } from './table.ts';

export interface SnapshotsOptions {
  readonly snapshotter: Snapshotter;
  /** Tables at once. */
  readonly width: number;
  readonly onDone: (table: CapturedTable) => Promise<void>;
  readonly onFailed: (table: CapturedTable, error: unknown) => Promise<void>;
  /** Handling an outcome failed itself: the session cannot go on. */
  readonly onError: (error: unknown) => void;
  /** Nothing of this source is left to snapshot, or something is again. */
  readonly onBusy: (busy: boolean) => void;
}

interface Job {
  readonly table: CapturedTable;
  readonly schema: TableSchema;
  readonly generation: number;
  readonly ready: () => Promise<boolean>;
  readonly abort: AbortController;
}

/** How often it is asked whether the transactions in flight have ended: there is no event for it. */
const READY_POLL_MS = 50;

/** Runs the snapshots of one source beside its stream, some at a time, each by itself (it retries what is transient). */
export class Snapshots {
  readonly #options: SnapshotsOptions;
  readonly #waiting: Job[] = [];
  readonly #running = new Map<CapturedTable, { job: Job; done: Promise<void> }>();
  #stopped = false;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  get busy(): boolean {
    return this.#waiting.length > 0 || this.#running.size > 0;
  }

  add(table: CapturedTable, schema: TableSchema, ready: () => Promise<boolean>): void {
    this.cancel(table);
    this.#waiting.push({ table, schema, generation: table.generation, ready, abort: new AbortController() });
    this.#options.onBusy(true);
    this.#pump();
  }

  cancel(table: CapturedTable): void {
    this.#running.get(table)?.job.abort.abort();
    const at = this.#waiting.findIndex((job) => job.table === table);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  /** Ends what runs and waits for it. Finished ranges are kept. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#waiting.length = 0;
    for (const { job } of this.#running.values()) job.abort.abort();
    await Promise.all([...this.#running.values()].map(({ done }) => done));
  }

  #pump(): void {
    while (!this.#stopped && this.#running.size < this.#options.width) {
      // A cancelled run of the same table has to end first: both would build the same thing.
      const at = this.#waiting.findIndex((job) => !this.#running.has(job.table));
      if (at < 0) break;
      const job = this.#waiting.splice(at, 1)[0]!;
      const done = this.#run(job)
        .catch(this.#options.onError)
        .finally(() => {
          this.#running.delete(job.table);
          if (!this.busy) this.#options.onBusy(false);
          this.#pump();
        });
      this.#running.set(job.table, { job, done });
    }
  }

  async #run({ table, schema, generation, ready, abort }: Job): Promise<void> {
    const { signal } = abort;
    try {
      while (!(await ready())) await sleep(READY_POLL_MS, undefined, { signal });
      await this.#options.snapshotter.snapshot(schema, generation, signal);
      if (!signal.aborted) await this.#options.onDone(table);
    } catch (error) {
      if (!signal.aborted) await this.#options.onFailed(table, error);
    }
  }
}
