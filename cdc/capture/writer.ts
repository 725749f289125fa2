import {
  type ChangeLog,
  CONTROL_TOPIC,
  type ControlMessage,
  controlBatch,
  type LogRecord,
  type TopicBatch,
} from '#kernel';
import { Arena } from '../events/index.ts';

/** Next offset by topic and partition. */
export type Ends = Map<string, Map<number, number>>;

export interface WriterOptions {
  readonly log: ChangeLog;
  readonly source: string;
  /** Next offsets the topics already have. */
  readonly ends: Ends;
  /** Everything up to here is durable in the log. Called in order. */
  readonly onDurable: (position: Position) => void;
  readonly onError: (error: unknown) => void;
  /** Encoded bytes waiting beyond which `full` is true. Default 6 MiB; twice that is the most memory held. */
  readonly maxBytes?: number;
}

export interface Position {
  /** End of the transaction: what is acknowledged. */
  readonly lsn: number;
  /** Microseconds since 1970. */
  readonly committedAt: number;
}

interface Lane {
  readonly topic: string;
  readonly partition: number;
  records: LogRecord[];
}

/** Watermarks by themselves are not sent more often than this. */
const WATERMARK_MS = 50;
/** All topics' ends are told this often, the moved ones every time. */
const FULL_MS = 1000;
/** Batches grow to this while more is waiting at the socket ... */
const EAGER_BYTES = 512 * 1024;
/** ... unless its first event is older than this. */
const EAGER_MS = 4;
/**
 * Small appends begin at least this far apart: each costs a flush to disk, and a steady trickle would
 * otherwise spend more on flushes than on rows. A lone change never waits.
 */
const SPACING_MS = 15;

/**
 * Collects events and appends them in batches: one append runs, the next batch fills meanwhile. So
 * batches are small when idle and large under load, by themselves. A position is reported durable
 * only after every event before it is (SPEC 2).
 */
export class LogWriter {
  #filling = new Arena();
  #resting = new Arena();
  #touched: Lane[] = [];
  #bytes = 0;
  #since = 0;
  #commit: Position | null = null;
  #flying: Promise<void> | null = null;
  #watermark: Position | null = null;
  /** Ends not yet told. */
  #moved: Ends = new Map();
  #starved = true;
  #watermarkAt = 0;
  /** Latest commit time told: what comes after it in the stream may carry an earlier one. */
  #told = 0;
  #fullAt = 0;
  #timer: NodeJS.Timeout | null = null;
  #timerAt = 0;
  #flushedAt = 0;
  #closed = false;
  #appended = 0;
  #relief: (() => void)[] = [];
  readonly #options: WriterOptions;
  readonly #maxBytes: number;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#maxBytes = options.maxBytes ?? 6 * 1024 * 1024;
  }

  /** Bytes of events handed to the log so far. */
  get appendedBytes(): number {
    return this.#appended;
  }

  /** Where events are encoded; changes with each flush. */
  get arena(): Arena {
    return this.#filling;
  }

  get full(): boolean {
    return this.#bytes >= this.#maxBytes;
  }

  /** Nothing waits and nothing is on its way. */
  get idle(): boolean {
    return this.#bytes === 0 && this.#flying === null;
  }

  /** The way into one topic. */
  lanes(topic: string, partitions: number): (partition: number, record: LogRecord) => void {
    const lanes: Lane[] = Array.from({ length: partitions }, (_, partition) => ({
      topic,
      partition,
      records: [],
    }));
    return (partition, record) => {
      const lane = lanes[partition]!;
      if (lane.records.length === 0) this.#touched.push(lane);
      lane.records.push(record);
      if (this.#bytes === 0) this.#since = performance.now();
      this.#bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0);
    };
  }

  /** A transaction is complete: `position` becomes durable with the events before it. */
  commit(position: Position): void {
    if (this.idle) this.#options.onDurable(position);
    else this.#commit = position;
  }

  /** Tells the sinks a position; taken along with the next append or sent by itself shortly. */
  announce(position: Position): void {
    this.#watermark = position;
    if (this.#flying || this.#closed) return;
    const wait = this.#watermarkAt + WATERMARK_MS - performance.now();
    if (wait <= 0) this.#flush();
    else this.#later(wait);
  }

  /** Flushes after `ms`, unless something else does so before. */
  #later(ms: number): void {
    const at = performance.now() + ms;
    if (this.#timer) {
      if (this.#timerAt <= at) return;
      clearTimeout(this.#timer);
    }
    this.#timerAt = at;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (!this.#flying && !this.#closed) this.#flush();
    }, ms);
  }

  /** Called when the reader pauses for more input; `starved` = nothing is waiting at the socket. */
  kick(starved: boolean): void {
    this.#starved = starved;
    if (this.#flying || this.#bytes === 0) return;
    const now = performance.now();
    if (!starved && this.#bytes < EAGER_BYTES && now - this.#since < EAGER_MS) return;
    const wait = this.#bytes < EAGER_BYTES ? this.#flushedAt + SPACING_MS - now : 0;
    if (wait <= 0) this.#flush();
    else this.#later(wait);
  }

  /** Resolves when there is room again. */
  async drained(): Promise<void> {
    while (this.full && !this.#closed) {
      if (this.#flying) await new Promise<void>((resolve) => this.#relief.push(resolve));
      else this.#flush();
    }
  }

  /** Waits for the append under way; what is still waiting is dropped (it was never acknowledged). */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#relieve();
    await this.#flying;
  }

  #flush(): void {
    const batches: TopicBatch[] = this.#touched.map(({ topic, partition, records }) => ({
      topic,
      partition,
      records,
    }));
    for (const lane of this.#touched) lane.records = [];
    const message = this.#takeWatermark();
    if (message) batches.push(controlBatch(message));
    if (batches.length === 0) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#flushedAt = performance.now();
    const commit = this.#commit;
    const arena = this.#filling;
    this.#filling = this.#resting;
    this.#touched = [];
    this.#appended += this.#bytes;
    this.#bytes = 0;
    this.#commit = null;
    this.#flying = this.#append(batches, commit, arena);
  }

  async #append(batches: readonly TopicBatch[], commit: Position | null, arena: Arena): Promise<void> {
    try {
      const appended = await this.#options.log.append(batches);
      arena.reset();
      this.#resting = arena;
      this.#flying = null;
      for (const { topic, partition, end } of appended) {
        if (topic === CONTROL_TOPIC) continue;
        set(this.#options.ends, topic, partition, end);
        set(this.#moved, topic, partition, end);
      }
      if (commit) this.#options.onDurable(commit);
      if (this.#closed) return;
      if (commit) this.#watermark = commit;
      if (this.full) this.#flush();
      else if (this.#watermark) this.announce(this.#watermark);
      this.#relieve();
      this.kick(this.#starved);
    } catch (error) {
      this.#flying = null;
      this.#closed = true;
      this.#relieve();
      this.#options.onError(error);
    }
  }

  #takeWatermark(): ControlMessage | null {
    const watermark = this.#watermark;
    if (!watermark) return null;
    this.#watermark = null;
    const now = performance.now();
    this.#watermarkAt = now;
    const ends = now - this.#fullAt >= FULL_MS ? this.#options.ends : this.#moved;
    if (ends !== this.#moved) this.#fullAt = now;
    this.#moved = new Map();
    this.#told = Math.max(this.#told, watermark.committedAt);
    return {
      type: 'watermark',
      source: this.#options.source,
      lsn: watermark.lsn,
      committedAt: this.#told,
      ends: Object.fromEntries([...ends].map(([topic, parts]) => [topic, Object.fromEntries(parts)])),
    };
  }

  #relieve(): void {
    for (const resolve of this.#relief.splice(0)) resolve();
  }
}

function set(ends: Ends, topic: string, partition: number, end: number): void {
  let parts = ends.get(topic);
  if (!parts) {
    parts = new Map();
    ends.set(topic, parts);
  }
  parts.set(partition, end);
}
