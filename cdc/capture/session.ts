import { toHubError } from '#kernel';
import { openReplication, type ReplicationStream } from '../replication/index.ts';
import { dropSlot } from '../slots/index.ts';
import { Changes } from './changes.ts';
import { Ground, type SessionOptions, unbroken } from './ground.ts';
import { type Ends, LogWriter } from './writer.ts';

const HEARTBEAT_MS = 1000;
const RESCAN_MS = 5000;
/** The write position counts the page header that the end of the last record does not. */
const PAGE_HEADER = 64;
/** Without a position to compare with, the server's clock is trusted this much (microseconds). */
const CLOCK_MARGIN_US = 1_000_000;

/**
 * One unbroken reading of a source: publication, slot, tables, snapshots and the stream. Resolves when
 * `signal` says stop; rejects with what broke it. Everything it holds is released either way.
 */
export const runSession = (options: SessionOptions): Promise<void> =>
  unbroken(options.signal, (stack, signal, fail) => new Session(options, stack, signal, fail).run());

class Session {
  readonly #options: SessionOptions;
  readonly #stack: AsyncDisposableStack;
  readonly #fail: (error: unknown) => void;
  readonly #ground: Ground;
  #writer!: LogWriter;
  #changes!: Changes;
  #stream!: ReplicationStream;
  #moment: { position: number; time: number } | null = null;

  constructor(
    options: SessionOptions,
    stack: AsyncDisposableStack,
    signal: AbortSignal,
    fail: (error: unknown) => void,
  ) {
    this.#options = options;
    this.#stack = stack;
    this.#fail = fail;
    this.#ground = new Ground(options, stack, signal, fail);
  }

  async run(): Promise<void> {
    const { capture, meter } = this.#options;
    const ground = this.#ground;
    meter.state('connecting');
    await ground.connect();
    await ground.open();
    await this.#startWriter();
    await this.#openStream();
    meter.state(ground.snapshots.busy ? 'snapshotting' : 'streaming');
    ground.every(HEARTBEAT_MS, () => this.#heartbeat());
    ground.every(capture.rescanMs ?? RESCAN_MS, () => ground.maintain(this.#stream.acknowledged));
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
    } else if (this.#ground.client.profile.currentPosition === null) {
      meter.durable(lsn, serverTime - CLOCK_MARGIN_US);
      this.#writer.announce({ lsn, committedAt: serverTime - CLOCK_MARGIN_US });
    }
  }

  /** Once a second while idle: a moment of the source's clock that the stream is shown to have passed. */
  async #heartbeat(): Promise<void> {
    if (this.#changes.inTransaction || !this.#writer.idle) return;
    this.#moment = await this.#ground.client.moment();
    this.#stream.requestKeepalive();
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
      book: this.#ground.book,
      writer: this.#writer,
      client: this.#ground.client,
      onTableFailed: (table, error) => this.#ground.tableFailed(table, error),
    });
  }

  async #openStream(): Promise<void> {
    const { source, logger } = this.#options;
    try {
      this.#stream = await openReplication({
        url: source.url,
        slot: this.#ground.slot,
        publications: this.#ground.book.publication.names,
        log: logger,
      });
    } catch (thrown) {
      const error = toHubError(thrown);
      // A publication younger than the slot's position cannot be seen from there: only a new slot helps.
      if (error.code === 'SLOT_MISSING' && error.message.includes('publication')) {
        await this.#ground.client.use((client) => dropSlot(client, this.#ground.slot));
      }
      throw error;
    }
    this.#stack.defer(() => this.#stream.stop());
    this.#ground.onEnd(() => this.#stream.stop());
  }
}
