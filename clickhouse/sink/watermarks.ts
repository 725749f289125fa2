import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { ControlMessage, Logger, TableEntry } from '#kernel';

export type WatermarkMessage = Extract<ControlMessage, { type: 'watermark' }>;

interface Claim {
  readonly end: number;
  readonly committedAt: number;
  readonly lsn: number;
}

interface Partition {
  /** Number of partitions of the topic. */
  of: number;
  /** Its log end has been looked up: what was in the log before this process counts in `named`. */
  located: boolean;
  /** Everything below this offset is in the warehouse (or dead). */
  position: number;
  /** Highest end that a message has named: what an unnamed topic still has to reach. */
  named: number;
  /** Claims not reached yet, oldest first; the newest replaces those between. */
  claims: Claim[];
}

interface Progress {
  readonly entry: TableEntry;
  readonly partition: number;
  readonly of: number;
  readonly committedAt: number;
  readonly lsn: number;
}

const FLUSH_MS = 200;
/** Claims kept per partition: the oldest (it is reached first), and the newest. */
const MAX_CLAIMS = 8;

/**
 * Turns "all commits up to T are in the log below these offsets" and "everything below this offset
 * is in the warehouse" into `bac.watermarks`. A watermark is written once the position has reached the
 * claim; it never goes back. Writes are gathered, at most one statement under way. The first write for a
 * table gives every partition of its topic a row, at position 0: the least of the rows is the table's
 * watermark also while a partition has not been heard of yet.
 */
export class Watermarks {
  readonly #pool: Pool;
  readonly #logger: Logger;
  readonly #partitions = new Map<string, Map<number, Partition>>();
  readonly #dirty = new Map<string, Progress>();
  readonly #stop = new AbortController();
  #flushing: Promise<void> | null = null;

  constructor(pool: Pool, logger: Logger) {
    this.#pool = pool;
    this.#logger = logger;
  }

  /** Where a partition stands when this process takes it over: committed offset and log end. */
  known(entry: TableEntry, partition: number, committed: number, end: number): void {
    const state = this.#state(entry.topic, partition);
    if (state.position < committed) state.position = committed;
    if (state.named < end) state.named = end;
    state.located = true;
    this.#advance(entry, partition, state);
  }

  isKnown(topic: string, partition: number): boolean {
    return this.#partitions.get(topic)?.get(partition)?.located ?? false;
  }

  /** The table was removed; a topic of its name starts anew. */
  forget(topic: string): void {
    this.#partitions.delete(topic);
  }

  reached(entry: TableEntry, partition: number, position: number): void {
    const state = this.#state(entry.topic, partition);
    if (state.position < position) state.position = position;
    this.#advance(entry, partition, state);
  }

  /** What was claimed of the partition counts only once everything below `end` is stored as well. */
  hold(entry: TableEntry, partition: number, end: number): void {
    const state = this.#state(entry.topic, partition);
    state.named = Math.max(state.named, end);
    state.claims = state.claims.map((claim) => ({ ...claim, end: Math.max(claim.end, end) }));
  }

  /** `tables`: the source's live tables with the partitions this process is in charge of, of how many. */
  claim(
    message: WatermarkMessage,
    tables: readonly { entry: TableEntry; partitions: readonly number[]; of: number }[],
  ): void {
    for (const { entry, partitions, of } of tables) {
      const ends = message.ends[entry.topic];
      for (const partition of partitions) {
        const state = this.#state(entry.topic, partition);
        state.of = of;
        state.named = Math.max(state.named, ends?.[partition] ?? 0);
        if (!state.located) continue;
        const claim = { end: state.named, committedAt: message.committedAt, lsn: message.lsn };
        if (state.claims.length >= MAX_CLAIMS) state.claims.pop();
        state.claims.push(claim);
        this.#advance(entry, partition, state);
      }
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#flushing;
    if (this.#dirty.size > 0) await this.#write();
  }

  #state(topic: string, partition: number): Partition {
    let byPartition = this.#partitions.get(topic);
    if (byPartition === undefined) {
      byPartition = new Map();
      this.#partitions.set(topic, byPartition);
    }
    let state = byPartition.get(partition);
    if (state === undefined) {
      state = { of: 1, located: false, position: 0, named: 0, claims: [] };
      byPartition.set(partition, state);
    }
    return state;
  }

  #advance(entry: TableEntry, partition: number, state: Partition): void {
    let reached: Claim | null = null;
    while (state.claims.length > 0 && state.position >= state.claims[0]!.end) reached = state.claims.shift()!;
    if (reached === null) return;
    const { committedAt, lsn } = reached;
    this.#dirty.set(`${partition} ${entry.topic}`, { entry, partition, of: state.of, committedAt, lsn });
    this.#flushing ??= this.#flush();
  }

  async #flush(): Promise<void> {
    let backOff = FLUSH_MS;
    while (this.#dirty.size > 0 && !this.#stop.signal.aborted) {
      try {
        await this.#write();
        backOff = FLUSH_MS;
      } catch (error) {
        backOff = Math.min(backOff * 2, 5000);
        this.#logger.warn({ error: String(error) }, 'watermarks could not be written, will be tried again');
      }
      await delay(backOff, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
    this.#flushing = null;
  }

  async #write(): Promise<void> {
    const batch = [...this.#dirty];
    const items = batch.map(([, progress]) => progress);
    await this.#pool.query(
      `WITH u AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::bigint[], $7::int[])
         AS u(source, schema_name, table_name, partition, micros, lsn, partitions))
       INSERT INTO bac.watermarks AS w (source, schema_name, table_name, partition, committed_at, lsn)
       SELECT source, schema_name, table_name, partition,
              timestamptz 'epoch' + micros * interval '1 microsecond', lsn FROM u
       UNION ALL
       SELECT DISTINCT source, schema_name, table_name, other, timestamptz 'epoch', 0::bigint
       FROM u, generate_series(0, partitions - 1) AS other
       WHERE (source, schema_name, table_name, other) NOT IN (SELECT source, schema_name, table_name, partition FROM u)
       ON CONFLICT (source, schema_name, table_name, partition) DO UPDATE
         SET committed_at = excluded.committed_at, lsn = excluded.lsn
         WHERE w.committed_at < excluded.committed_at`,
      [
        items.map(({ entry }) => entry.source),
        items.map(({ entry }) => entry.schema),
        items.map(({ entry }) => entry.table),
        items.map(({ partition }) => partition),
        items.map(({ committedAt }) => committedAt),
        items.map(({ lsn }) => lsn),
        items.map(({ of }) => of),
      ],
    );
    for (const [key, progress] of batch) if (this.#dirty.get(key) === progress) this.#dirty.delete(key);
  }
}
