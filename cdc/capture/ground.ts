import { type Logger, type LogPosition, type TableSchema, toHubError } from '#kernel';
import type { CatalogTable, Reason } from '../catalog/index.ts';
import { formatLsn } from '../pgoutput/index.ts';
import { dropSlot, ensureSlot, type SlotStatus, slotNameOf, slotStatus } from '../slots/index.ts';
import { createSnapshotter, type Snapshotter } from '../snapshot/index.ts';
import type { Meter } from './meter.ts';
import { Snapshots } from './snapshots.ts';
import { SourceClient } from './source-client.ts';
import { beginSlot, clearResnapshot, finishSlot } from './source-rows.ts';
import type { CapturedTable } from './table.ts';
import { TableBook } from './tables.ts';
import type { CaptureOptions, SourceRow } from './types.ts';

export interface SessionOptions {
  readonly capture: CaptureOptions;
  readonly source: SourceRow;
  readonly logger: Logger;
  readonly meter: Meter;
  /** The new snapshots asked for in `options.resnapshot` have begun. */
  readonly onResnapshotBegun: () => void;
  /** Ends the session; its reason is what `run` rejects with, unless it is a plain stop. */
  readonly signal: AbortSignal;
}

/** What engines may do differently. */
export interface Engine {
  /** Where events do not say their generation: see RegistrationOptions. */
  readonly from?: (topic: string) => Promise<LogPosition>;
  /** See SourceCatalogOptions. */
  readonly refuses?: (table: CatalogTable) => Reason | null;
  /** Lays down rows in another way than by reading them from the source. */
  readonly snapshot?: (schema: TableSchema, generation: number, signal: AbortSignal) => Promise<boolean>;
  /** Called before a slot is made or taken as new: what reads the slot by that name has to let go of it. */
  readonly beforeSlot?: () => Promise<void>;
  /** Whether a slot that is there can still be gone on with; default: yes. */
  readonly isWhole?: (status: SlotStatus) => Promise<boolean>;
  /** Makes the slot and gives its consistent point; default: ensureSlot. */
  readonly makeSlot?: () => Promise<number>;
}

const RETRY_FAILED_MS = 60_000;
/** Tables that wait for transactions are looked after this soon, then half as often each time. */
const WAITING_FIRST_MS = 50;
const WAITING_MOST_MS = 5000;

/**
 * Runs `body` as one unbroken session: resolves when the outer signal says stop; rejects with what broke
 * it. Everything deferred on `stack` is released either way.
 */
export async function unbroken(
  outer: AbortSignal,
  body: (stack: AsyncDisposableStack, signal: AbortSignal, fail: (error: unknown) => void) => Promise<void>,
): Promise<void> {
  const broken = new AbortController();
  const signal = AbortSignal.any([outer, broken.signal]);
  const stack = new AsyncDisposableStack();
  const fail = (error: unknown): void => broken.abort(error);
  try {
    await body(stack, signal, fail);
  } catch (error) {
    fail(error);
  } finally {
    await stack.disposeAsync();
  }
  if (broken.signal.aborted && !outer.aborted) throw broken.signal.reason;
}

/**
 * What a session stands on, whichever engine reads the stream: the connection to the source, its
 * publication and slot, its tables with their shapes, and their snapshots.
 */
export class Ground {
  readonly slot: string;
  client!: SourceClient;
  book!: TableBook;
  readonly snapshots: Snapshots;
  /** Where the slot began, if it was made by this session. */
  slotBegan = 0;
  readonly #options: SessionOptions;
  readonly #stack: AsyncDisposableStack;
  readonly #signal: AbortSignal;
  readonly #fail: (error: unknown) => void;
  readonly #engine: Engine;
  #waitingTimer: NodeJS.Timeout | undefined;

  constructor(
    options: SessionOptions,
    stack: AsyncDisposableStack,
    signal: AbortSignal,
    fail: (error: unknown) => void,
    engine: Engine = {},
  ) {
    this.#options = options;
    this.#stack = stack;
    this.#signal = signal;
    this.#fail = fail;
    this.#engine = engine;
    this.slot = options.source.slot ?? slotNameOf(options.source.name);
    // Released last: what its snapshots wait for is ended by closing the client first.
    this.snapshots = this.#makeSnapshots();
  }

  async connect(): Promise<void> {
    const { source } = this.#options;
    this.client = await SourceClient.connect(source.url, source.kind, this.#fail);
    this.#stack.defer(() => this.client.close());
    // Making a slot can wait for hours for somebody's transaction: stopping must not.
    this.onEnd(() => this.client.close());
    this.book = this.#makeBook();
    this.#stack.defer(() => clearTimeout(this.#waitingTimer));
  }

  /** Publication, slot and tables; true: the slot is new, so that every table begins anew. */
  async open(): Promise<boolean> {
    const { source, capture } = this.#options;
    await this.book.publish();
    const fresh = await this.#ensureSlot();
    await this.book.open(fresh, new Set(source.options.resnapshot ?? []));
    if (fresh) await finishSlot(capture.pool, source.name, this.slot);
    if (source.options.resnapshot) {
      await clearResnapshot(capture.pool, source.name, source.options.resnapshot);
      this.#options.onResnapshotBegun();
    }
    this.#signal.throwIfAborted();
    return fresh;
  }

  /** Lag of the slot, and what the catalog has new. `passed`: the stream is durable up to here. */
  async maintain(passed: number): Promise<void> {
    const { meter, capture } = this.#options;
    const status = await this.client.use((client) => slotStatus(client, this.slot, this.client.profile));
    meter.lag(status, capture.config);
    await this.book.rescan(RETRY_FAILED_MS, passed);
  }

  /** What only concerns one table stops only that table; what may concern all ends the session. */
  async tableFailed(table: CapturedTable, thrown: unknown): Promise<void> {
    const error = toHubError(thrown);
    if (error.disposition === 'transient' || isConnectionTrouble(thrown) || this.#signal.aborted)
      throw thrown;
    await this.book.fail(table, error);
  }

  onEnd(work: () => Promise<void>): void {
    const end = (): void => {
      work().catch(this.#fail);
    };
    if (this.#signal.aborted) end();
    else this.#signal.addEventListener('abort', end, { once: true });
  }

  /**
   * A commit is in the stream before its transaction is seen to have ended, so that a table made just now often
   * waits for a moment only.
   */
  #watchWaiting(pause = WAITING_FIRST_MS): void {
    clearTimeout(this.#waitingTimer);
    this.#waitingTimer = setTimeout(() => {
      if (this.#signal.aborted) return;
      this.book
        .endWaiting()
        .then((more) => more && this.#watchWaiting(Math.min(pause * 2, WAITING_MOST_MS)))
        .catch(this.#fail);
    }, pause);
  }

  /** Repeats `work`, never beside itself. */
  every(ms: number, work: () => Promise<void>): void {
    let running = false;
    const timer = setInterval(() => {
      if (this.#signal.aborted || running) return;
      running = true;
      work()
        .catch(this.#fail)
        .finally(() => {
          running = false;
        });
    }, ms);
    this.#stack.defer(() => clearInterval(timer));
  }

  /** True: the slot is as good as new. */
  async #ensureSlot(): Promise<boolean> {
    const { source, capture, logger } = this.#options;
    const { profile } = this.client;
    const status = await this.client.use((client) => slotStatus(client, this.slot, profile));
    const lost = status.exists && (await this.#isLost(status));
    if (lost) {
      logger.error(
        { slot: this.slot },
        'the slot no longer has all that is not in the log yet; all tables begin anew',
      );
    }
    if (status.exists && !lost && source.slot !== null) return false;
    if (source.slot !== null && !status.exists) {
      logger.error({ slot: this.slot }, 'the replication slot is gone; all tables begin anew');
    }
    await this.#engine.beforeSlot?.();
    if (status.exists && !lost) return true;
    if (lost) await this.client.use((client) => dropSlot(client, this.slot));
    await beginSlot(capture.pool, source.name);
    this.slotBegan = await this.#makeSlot();
    logger.info({ slot: this.slot, from: formatLsn(this.slotBegan) }, 'replication slot made');
    return true;
  }

  async #isLost(status: SlotStatus): Promise<boolean> {
    if (status.walStatus === 'lost' || status.confirmedLsn === null) return true;
    const { isWhole } = this.#engine;
    return this.#options.source.slot !== null && isWhole !== undefined && !(await isWhole(status));
  }

  async #makeSlot(): Promise<number> {
    const { makeSlot } = this.#engine;
    if (makeSlot) return makeSlot();
    const slot = await this.client.use((client) => ensureSlot(client, this.slot, this.client.profile));
    return slot.consistentPoint;
  }

  #makeSnapshots(): Snapshots {
    const { source, capture, logger, meter } = this.#options;
    const snapshotter = this.#snapshotter(
      createSnapshotter({
        source: source.name,
        url: source.url,
        kind: source.kind,
        pool: capture.pool,
        registry: capture.registry,
        target: capture.target,
        log: logger,
        workers: capture.config.snapshotWorkers,
        chunkRows: capture.config.snapshotChunkRows,
      }),
    );
    const snapshots = new Snapshots({
      snapshotter,
      width: capture.config.snapshotWorkers,
      onDone: async (table) => {
        logger.info({ table: table.topic, generation: table.generation }, 'snapshot finished');
        await this.book.tell(table.id);
      },
      onFailed: (table, error) => this.#snapshotFailed(table, error),
      onBusy: (busy) => meter.snapshotting(busy),
      onError: this.#fail,
    });
    this.#stack.defer(async () => {
      await snapshots.stop();
      await snapshotter.close();
    });
    return snapshots;
  }

  #snapshotter(reading: Snapshotter): Snapshotter {
    const other = this.#engine.snapshot;
    if (!other) return reading;
    return {
      async snapshot(schema, generation, signal) {
        if (!(await other(schema, generation, signal))) await reading.snapshot(schema, generation, signal);
      },
      close: () => reading.close(),
    };
  }

  #makeBook(): TableBook {
    const { source, capture, logger } = this.#options;
    const { partitions, retentionMs, retentionBytes } = capture;
    const { from, refuses } = this.#engine;
    return new TableBook({
      source: source.name,
      client: this.client,
      registry: capture.registry,
      log: capture.log,
      logger,
      wanted: source.options.tables,
      topic: { partitions, retentionMs, retentionBytes },
      onSnapshot: (table, schema, ready) => this.snapshots.add(table, schema, ready),
      onCancel: (table) => this.snapshots.cancel(table),
      onWaiting: () => this.#watchWaiting(),
      ...(from ? { from } : {}),
      ...(refuses ? { refuses } : {}),
    });
  }

  async #snapshotFailed(table: CapturedTable, thrown: unknown): Promise<void> {
    const error = toHubError(thrown);
    if (error.code === 'SNAPSHOT_SHAPE_CHANGED') {
      await this.book.begin(table);
    } else if (error.code === 'TABLE_DROPPED') await this.book.rescan(RETRY_FAILED_MS, 0);
    else await this.tableFailed(table, error);
  }
}

/** Errors of the drivers (SQLSTATE classes 08, 53, 57, or a socket code): of the connection, not of the table. */
function isConnectionTrouble(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string' && /^(08|53|57|E[A-Z]+$)/.test(code)) return true;
  return error instanceof Error && /Connection terminated|not queryable|timeout/.test(error.message);
}
