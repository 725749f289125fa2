import { type ChangeLog, controlBatch } from '#kernel';
import type { Meter } from '../capture/meter.ts';

export interface ProgressOptions {
  readonly log: ChangeLog;
  readonly source: string;
  readonly meter: Meter;
  /** The source's clock now and the write position just after; null = it cannot tell. */
  readonly moment: () => Promise<Moment | null>;
  /** Has the source write something that changes no table; gives a position that is committed once it has passed. */
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
 * How far the log is complete, where somebody else writes it. Connect commits an offset only after the broker
 * has acknowledged every record before it. So: a moment of the source's clock and the write position just
 * after it; once an offset beyond that position is committed, all that was committed at the source before the
 * moment is in the log, below the ends that are read then. The slot says it later, and moves too when somebody
 * advances it. Only commits of captured tables move the offset; what else is written moves the write position
 * away from it, so then the source is nudged: one message, which Debezium reads like a commit.
 */
export class Progress {
  static readonly EVERY_MS = 250;
  readonly #options: ProgressOptions;
  readonly #moments: Moment[] = [];
  /** Ends by topic and partition as last seen. */
  #ends = new Map<string, readonly number[]>();
  #first: number | null = null;
  #told = 0;
  #committed = 0;
  #nudged = 0;
  readonly #cut = new Set<string>();

  constructor(options: ProgressOptions) {
    this.#options = options;
  }

  /**
   * Connect's committed offset is here (0 = there is none). Appends a watermark if a moment has been passed;
   * nudges the source if none has and the offset stands still, one message at a time.
   */
  async committed(lsn: number): Promise<void> {
    const still = lsn === this.#committed;
    this.#committed = lsn;
    const passed = await this.#passed(lsn);
    if (passed !== null) await this.#append(passed);
    else if (still && isPast(lsn, this.#nudged)) this.#nudged = await this.#options.nudge();
  }

  /**
   * The same for sources that have no write position: transactions committed before the one of the offset's
   * record, at `time` in microseconds, are complete.
   */
  async committedAt(lsn: number, time: number): Promise<void> {
    if (time - 1 > this.#told) await this.#append({ position: lsn, time: time - 1 });
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

  async #passed(committed: number): Promise<Moment | null> {
    let passed: Moment | null = null;
    while (this.#moments.length > 0 && isPast(committed, this.#moments[0]!.position)) {
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

const isPast = (committed: number, position: number): boolean => committed + PAGE_HEADER >= position;
