import { type Logger, toHubError } from '#kernel';
import { formatLsn } from '../pgoutput/index.ts';
import { openReplication, type ReplicationStream } from '../replication/index.ts';
import { dropSlot, ensureSlot, slotNameOf, slotStatus } from '../slots/index.ts';
import { createSnapshotter } from '../snapshot/index.ts';
import { Changes } from './changes.ts';
import type { Meter } from './meter.ts';
import { Snapshots } from './snapshots.ts';
import { SourceClient } from './source-client.ts';
import { beginSlot, clearResnapshot, finishSlot } from './source-rows.ts';
import type { CapturedTable } from './table.ts';
import { TableBook } from './tables.ts';
import type { CaptureOptions, SourceRow } from './types.ts';
import { type Ends, LogWriter } from './writer.ts';

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

const HEARTBEAT_MS = 1000;
const RESCAN_MS = 5000;
const RETRY_FAILED_MS = 60_000;
/** The write position counts the page header that the end of the last record does not. */
const PAGE_HEADER = 64;
/** Without a position to compare with, the server's clock is trusted this much (microseconds). */
const CLOCK_MARGIN_US = 1_000_000;

/**
 * One unbroken reading of a source: publication, slot, tables, snapshots and the stream. Resolves when
 * `signal` says stop; rejects with what broke it. Everything it holds is released either way.
 */
export async function runSession(options: SessionOptions): Promise<void> {
  const broken = new AbortController();
  const signal = AbortSignal.any([options.signal, broken.signal]);
  const stack = new AsyncDisposableStack();
  const fail = (error: unknown): void => broken.abort(error);
  try {
    await new Session(options, stack, signal, fail).run();
  } catch (error) {
    fail(error);
  } finally {
    await stack.disposeAsync();
  }
  if (broken.signal.aborted && !options.signal.aborted) throw broken.signal.reason;
}

class Session {
  readonly #options: SessionOptions;
  readonly #stack: AsyncDisposableStack;
  readonly #signal: AbortSignal;
  readonly #fail: (error: unknown) => void;
  readonly #slot: string;
  #client!: SourceClient;
  #book!: TableBook;
  #writer!: LogWriter;
  #changes!: Changes;
  #stream!: ReplicationStream;
  #snapshots!: Snapshots;
  #moment: { position: number; time: number } | null = null;

  constructor(
    options: SessionOptions,
    stack: AsyncDisposableStack,
    signal: AbortSignal,
    fail: (error: unknown) => void,
  ) {
    this.#options = options;
    this.#stack = stack;
    this.#signal = signal;
    this.#fail = fail;
    this.#slot = options.source.slot ?? slotNameOf(options.source.name);
  }

  async run(): Promise<void> {
    const { source, capture, meter } = this.#options;
    meter.state('connecting');
    // Released last: what its snapshots wait for is ended by closing the client first.
    this.#snapshots = this.#makeSnapshots();
    this.#client = await SourceClient.connect(source.url, source.kind, this.#fail);
    this.#stack.defer(() => this.#client.close());
    // Making a slot can wait for hours for somebody's transaction: stopping must not.
    this.#onEnd(() => this.#client.close());
    this.#book = this.#makeBook();
    await this.#book.publish();
    const fresh = await this.#ensureSlot();
    await this.#book.open(fresh, new Set(source.options.resnapshot ?? []));
    if (fresh) await finishSlot(capture.pool, source.name, this.#slot);
    if (source.options.resnapshot) {
      await clearResnapshot(capture.pool, source.name, source.options.resnapshot);
      this.#options.onResnapshotBegun();
    }
    this.#signal.throwIfAborted();
    await this.#startWriter();
    await this.#openStream();
    meter.state(this.#snapshots.busy ? 'snapshotting' : 'streaming');
    this.#every(HEARTBEAT_MS, () => this.#heartbeat());
    this.#every(capture.rescanMs ?? RESCAN_MS, () => this.#maintain());
    await this.#read();
  }

  /** The hot loop: everything received is applied, then appended; a full log holds the socket back. */
  async #read(): Promise<void> {
    const stream = this.#stream;
    const writer = this.#writer;
    const changes = this.#changes;
    for (;;) {
      changes.tick(Date.now());
      while (stream.receive()) {
        if (stream.kind === 'change') {
          const pause = changes.apply(stream.buffer, stream.start, stream.end, stream.lsn);
          if (pause !== null) await pause;
          if (writer.full) await writer.drained();
        } else this.#keepalive(stream.lsn, stream.serverTime);
      }
      writer.kick(stream.waitingBytes === 0);
      this.#options.meter.count(changes.rows, changes.transactions, writer.appendedBytes);
      if (!(await stream.wait())) return;
    }
  }

  /** Nothing is pending: what the server has sent so far had nothing for us, and that is complete too. */
  #keepalive(lsn: number, serverTime: number): void {
    if (this.#changes.inTransaction || !this.#writer.idle) return;
    this.#stream.acknowledge(lsn);
    const { meter } = this.#options;
    const moment = this.#moment;
    if (moment !== null && lsn + PAGE_HEADER >= moment.position) {
      this.#moment = null;
      meter.durable(lsn, moment.time);
      this.#writer.announce({ lsn, committedAt: moment.time });
    } else if (this.#client.profile.currentPosition === null) {
      meter.durable(lsn, serverTime - CLOCK_MARGIN_US);
      this.#writer.announce({ lsn, committedAt: serverTime - CLOCK_MARGIN_US });
    }
  }

  /** Once a second while idle: a moment of the source's clock that the stream is shown to have passed. */
  async #heartbeat(): Promise<void> {
    if (this.#changes.inTransaction || !this.#writer.idle) return;
    this.#moment = await this.#client.moment();
    this.#stream.requestKeepalive();
  }

  async #maintain(): Promise<void> {
    const { meter, capture } = this.#options;
    const { profile } = this.#client;
    meter.lag(await this.#client.use((client) => slotStatus(client, this.#slot, profile)), capture.config);
    await this.#book.rescan(RETRY_FAILED_MS, this.#stream.acknowledged);
  }

  async #ensureSlot(): Promise<boolean> {
    const { source, capture, logger } = this.#options;
    const { profile } = this.#client;
    const status = await this.#client.use((client) => slotStatus(client, this.#slot, profile));
    const lost = status.exists && (status.walStatus === 'lost' || status.confirmedLsn === null);
    if (lost) {
      logger.error(
        { slot: this.#slot },
        'the server removed changes the slot still needed; all tables begin anew',
      );
      await this.#client.use((client) => dropSlot(client, this.#slot));
    }
    if (status.exists && !lost) return source.slot === null;
    if (source.slot !== null && !lost) {
      logger.error({ slot: this.#slot }, 'the replication slot is gone; all tables begin anew');
    }
    await beginSlot(capture.pool, source.name);
    const slot = await this.#client.use((client) => ensureSlot(client, this.#slot, profile));
    logger.info({ slot: slot.name, from: formatLsn(slot.consistentPoint) }, 'replication slot made');
    return true;
  }

  async #startWriter(): Promise<void> {
    const { capture, source, meter } = this.#options;
    const ends: Ends = new Map();
    for (const info of await capture.log.topics(`${source.name}.`)) {
      ends.set(info.topic, new Map(info.extents.map(({ end }, partition) => [partition, end])));
    }
    this.#writer = new LogWriter({
      log: capture.log,
      source: source.name,
      ends,
      onDurable: ({ lsn, committedAt }) => {
        this.#stream.acknowledge(lsn);
        meter.durable(lsn, committedAt);
      },
      onError: this.#fail,
    });
    this.#stack.defer(() => this.#writer.close());
    this.#changes = new Changes({
      book: this.#book,
      writer: this.#writer,
      client: this.#client,
      onTableFailed: (table, error) => this.#tableFailed(table, error),
    });
  }

  async #openStream(): Promise<void> {
    const { source, logger } = this.#options;
    try {
      this.#stream = await openReplication({
        url: source.url,
        slot: this.#slot,
        publications: this.#book.publication.names,
        log: logger,
      });
    } catch (thrown) {
      const error = toHubError(thrown);
      // A publication younger than the slot's position cannot be seen from there: only a new slot helps.
      if (error.code === 'SLOT_MISSING' && error.message.includes('publication')) {
        await this.#client.use((client) => dropSlot(client, this.#slot));
      }
      throw error;
    }
    this.#stack.defer(() => this.#stream.stop());
    this.#onEnd(() => this.#stream.stop());
  }

  #makeSnapshots(): Snapshots {
    const { source, capture, logger, meter } = this.#options;
    const snapshotter = createSnapshotter({
      source: source.name,
      url: source.url,
      kind: source.kind,
      pool: capture.pool,
      registry: capture.registry,
      target: capture.target,
      log: logger,
      workers: capture.config.snapshotWorkers,
      chunkRows: capture.config.snapshotChunkRows,
    });
    const snapshots = new Snapshots({
      snapshotter,
      width: capture.config.snapshotWorkers,
      onDone: async (table) => {
        logger.info({ table: table.topic, generation: table.generation }, 'snapshot finished');
        await this.#book.tell(table.id);
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

  #makeBook(): TableBook {
    const { source, capture, logger } = this.#options;
    const { partitions, retentionMs, retentionBytes } = capture;
    return new TableBook({
      source: source.name,
      client: this.#client,
      registry: capture.registry,
      log: capture.log,
      logger,
      wanted: source.options.tables,
      topic: { partitions, retentionMs, retentionBytes },
      onSnapshot: (table, schema, ready) => this.#snapshots.add(table, schema, ready),
      onCancel: (table) => this.#snapshots.cancel(table),
    });
  }

  async #snapshotFailed(table: CapturedTable, thrown: unknown): Promise<void> {
    const error = toHubError(thrown);
    if (error.code === 'SNAPSHOT_SHAPE_CHANGED') {
      await this.#book.begin(table);
    } else if (error.code === 'TABLE_DROPPED') await this.#book.rescan(RETRY_FAILED_MS, 0);
    else await this.#tableFailed(table, error);
  }

  /** What only concerns one table stops only that table; what may concern all ends the session. */
  async #tableFailed(table: CapturedTable, thrown: unknown): Promise<void> {
    const error = toHubError(thrown);
    if (error.disposition === 'transient' || isConnectionTrouble(thrown) || this.#signal.aborted)
      throw thrown;
    await this.#book.fail(table, error);
  }

  #onEnd(work: () => Promise<void>): void {
    const end = (): void => {
      work().catch(this.#fail);
    };
    if (this.#signal.aborted) end();
    else this.#signal.addEventListener('abort', end, { once: true });
  }

  /** Repeats `work`, never beside itself. */
  #every(ms: number, work: () => Promise<void>): void {
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
}

/** Errors of the drivers (SQLSTATE classes 08, 53, 57, or a socket code): of the connection, not of the table. */
function isConnectionTrouble(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string' && /^(08|53|57|E[A-Z]+$)/.test(code)) return true;
  return error instanceof Error && /Connection terminated|not queryable|timeout/.test(error.message);
}
