import { type ChangeLog, controlBatch } from '#kernel';
import type { Meter } from '../capture/meter.ts';

export interface ProgressOptions {
  readonly log: ChangeLog;
  readonly source: string;
  readonly meter: Meter;
  /** The source's clock now and the write position just after; null = it cannot tell. */
  readonly moment: () => Promise<Moment | null>;
  /** Has the source write something that changes no table; gives a position that is confirmed once it has passed. */
  readonly nudge: () => Promise<number>;
}

interface Moment {
  readonly position: number;
  /** Microseconds since 1970. */
  readonly time: number;
}

/** Moments not passed yet: the oldest are passed first, the newest says most. */
const MAX_MOMENTS = 64;
/**
 * The write position counts the page header that the end of the last record does not: 24 bytes, 40 in the
 * first page of a segment. The record of a commit is longer, so none hides in between.
 */
const PAGE_HEADER = 40;

/**
 * How far the log is complete, where somebody else writes it. Debezium confirms a position to the slot only
 * when Connect has committed the offset that goes with it, which it does after the broker has acknowledged
 * every record before. So: a moment of the source's clock and the write position just after it; once the
 * slot is confirmed beyond that position, all that was committed before the moment is in the log, below the
 * ends that are read then. Only commits of captured tables move the slot; what else is written moves the
 * write position away from it, so then the source is nudged: one message, which Debezium reads like a commit.
 */
export class Progress {
  static readonly EVERY_MS = 250;
  readonly #options: ProgressOptions;
  readonly #moments: Moment[] = [];
  /** Ends by topic and partition as last seen. */
  #ends = new Map<string, readonly number[]>();
  #first: number | null = null;
  #told = 0;
  #confirmed = 0;
  #nudged = 0;
  readonly #cut = new Set<string>();

  constructor(options: ProgressOptions) {
    this.#options = options;
  }

  /**
   * The slot is confirmed up to here. Appends a watermark if a moment has been passed; nudges the source if
   * none has and the slot stands still, one message at a time.
   */
  async confirmed(lsn: number): Promise<void> {
    const still = lsn === this.#confirmed;
    this.#confirmed = lsn;
    const passed = await this.#passed(lsn);
    if (passed !== null) await this.#append(passed);
    else if (still && isPast(lsn, this.#nudged)) this.#nudged = await this.#options.nudge();
  }

  /**
   * The same from Connect's committed offsets, for sources that have no write position: transactions
   * committed before the one of the last record are complete.
   */
  async committed(offsets: readonly Readonly<Record<string, unknown>>[]): Promise<void> {
    const [offset] = offsets;
    const time = Number(offset?.ts_usec ?? 0) - 1;
    if (!(time > this.#told)) return;
    await this.#append({ position: Number(offset?.lsn ?? 0), time });
  }

  async #append({ position, time }: Moment): Promise<void> {
    const { meter, log, source } = this.#options;
    const ends = await this.#readEnds();
    this.#told = time;
    meter.durable(position, time);
    await log.append([
      controlBatch({
        type: 'watermark',
        source,
        lsn: position,
        committedAt: time,
        ends: Object.fromEntries([...ends].map(([topic, parts]) => [topic, { ...parts }])),
      }),
    ]);
  }

  /** Topics that have gone, or lost records that nobody was to delete, since the last call. */
  async cutTopics(): Promise<readonly string[]> {
    await this.#readEnds();
    const cut = [...this.#cut];
    this.#cut.clear();
    return cut;
  }

  async #passed(confirmed: number): Promise<Moment | null> {
    let passed: Moment | null = null;
    while (this.#moments.length > 0 && isPast(confirmed, this.#moments[0]!.position)) {
      passed = this.#moments.shift()!;
    }
    const now = await this.#options.moment();
    if (now) {
      if (this.#moments.length >= MAX_MOMENTS) this.#moments.pop();
      this.#moments.push(now);
    }
    return passed;
  }

  async #readEnds(): Promise<ReadonlyMap<string, readonly number[]>> {
    const { log, source, meter } = this.#options;
    const infos = await log.topics(`${source}.`);
    const ends = new Map(infos.map(({ topic, extents }) => [topic, extents.map(({ end }) => end)]));
    for (const [topic, before] of this.#ends) {
      const after = ends.get(topic);
      if (!after || before.some((end, partition) => (after[partition] ?? 0) < end)) this.#cut.add(topic);
    }
    this.#ends = ends;
    const total = infos.reduce((sum, { extents }) => sum + extents.reduce((all, { end }) => all + end, 0), 0);
    this.#first ??= total;
    meter.count(Math.max(0, total - this.#first), 0, 0);
    return ends;
  }
}

const isPast = (confirmed: number, position: number): boolean => confirmed + PAGE_HEADER >= position;
