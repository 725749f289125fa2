import type { Pool } from 'pg';
import {
  type ChangeLog,
  CONTROL_TOPIC,
  CONTROL_TOPIC_CONFIG,
  type ControlMessage,
  chTable,
  type Freshness,
  type LogConsumer,
  type Logger,
  toHubError,
  topicOf,
  type WarehouseTable,
} from '#kernel';
import { Bell, type TableClock } from '#semantic';

/** Watermarks are read again once what is known is older than this, and an answer waits for it beyond `WAIT_MS`. */
const LOOK_AGAIN_MS = 250;
const WAIT_MS = 1_000;
const CATCH_UP_MS = 2_000;

export interface ClockOptions {
  readonly pool: Pool;
  readonly log: ChangeLog;
  readonly logger: Logger;
  /** A table's shape, the sources or the apps are others: models have to follow. */
  readonly onReshaped: () => void;
  /** Rows of these topics' tables were stored, or a table was read anew. */
  readonly onStored: (topics: readonly string[]) => void;
  /** Something was said of any table or source. */
  readonly onMessage: () => void;
}

export interface ChangeClock extends TableClock {
  /** The tables there are now. */
  use(tables: readonly WarehouseTable[]): void;
  close(): Promise<void>;
}

const PAIR = /`(?:[^`\\]|\\.)+`\.`(?:[^`\\]|\\.)+`/g;

/**
 * Follows the control topic: sinks tell there of every table whose stored rows have changed. Watermarks are read from
 * the hub's state when somebody asks, and count only once every message is read that was written before them: so
 * "complete up to T" is never said of a result that a change before T has made old.
 */
export async function openClock({
  pool,
  log,
  logger,
  onReshaped,
  onStored,
  onMessage,
}: ClockOptions): Promise<ChangeClock> {
  const changed = new Map<string, number>();
  let named = new Map<string, string>();
  let topics = new Map<string, string>();
  let watermarks = new Map<string, string | null>();
  let asOf = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | null = null;
  const bell = new Bell();
  let sequence = 1;
  let position = 0;
  let waiting: { readonly end: number; readonly done: () => void }[] = [];

  const touch = (topic: string): void => {
    sequence += 1;
    changed.set(topic, sequence);
  };

  const take = (message: ControlMessage): void => {
    if (message.type === 'stored') {
      for (const topic of message.topics) touch(topic);
      onStored(message.topics);
      if (message.reshaped) onReshaped();
    } else if (message.type === 'table') {
      touch(topicOf(message));
      onStored([topicOf(message)]);
      onReshaped();
    } else if (message.type === 'apps' || message.type === 'source') onReshaped();
  };

  await log.ensureTopic(CONTROL_TOPIC, CONTROL_TOPIC_CONFIG);
  const consumer: LogConsumer = log.consume({
    group: null,
    topics: [CONTROL_TOPIC],
    from: 'end',
    async onBatch({ records }) {
      for (const { value } of records) {
        const message = parse(value);
        if (message) take(message);
      }
      onMessage();
      bell.ring();
      position = records.at(-1)!.offset + 1;
      const reached = waiting.filter(({ end }) => end <= position);
      waiting = waiting.filter(({ end }) => end > position);
      for (const { done } of reached) done();
    },
    onError: (err) => logger.warn({ err }, 'control message failed, comes again'),
  });
  await consumer.ready;
  // What was written before this process listened is of no concern to it.
  position = await endOf(log);

  const caughtUp = (end: number): Promise<void> => {
    if (end <= position) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const late = setTimeout(resolve, CATCH_UP_MS);
    waiting.push({ end, done: resolve });
    return promise.finally(() => clearTimeout(late));
  };

  const read = async (): Promise<void> => {
    try {
      const began = performance.now();
      const { rows } = await pool.query<{ topic: string; at: Date | null }>(
        `SELECT source || '.' || schema_name || '.' || table_name AS topic,
           nullif(min(committed_at), timestamptz 'epoch') AS at FROM bac.watermarks GROUP BY 1`,
      );
      const end = await endOf(log);
      await caughtUp(end);
      if (position < end) return; // said again at the next question
      watermarks = new Map(rows.map(({ topic, at }) => [topic, at?.toISOString() ?? null]));
      asOf = began;
    } catch (thrown) {
      logger.warn({ err: toHubError(thrown) }, 'watermarks could not be read');
    }
  };

  return {
    use(tables) {
      named = new Map(
        tables.map(({ database, table }) => [chTable(database, table), `${database}.${table}`]),
      );
      topics = new Map(tables.map(({ database, table, topic }) => [`${database}.${table}`, topic]));
    },
    tablesIn(sql) {
      const found = new Set<string>();
      for (const [pair] of sql.matchAll(PAIR)) {
        const table = named.get(pair);
        if (table !== undefined) found.add(table);
      }
      return [...found].sort();
    },
    stamp: (tables) => Math.max(0, ...tables.map((table) => changed.get(topics.get(table) ?? '') ?? 0)),
    freshness(tables): Freshness {
      const times = tables.map((table) => watermarks.get(topics.get(table) ?? '') ?? null);
      return { completeUpTo: times.includes(null) ? null : (times.toSorted()[0] ?? null) };
    },
    async current() {
      const age = performance.now() - asOf;
      if (age < LOOK_AGAIN_MS) return;
      reading ??= read().finally(() => {
        reading = null;
      });
      if (age > WAIT_MS) await reading;
    },
    moved: (signal) => bell.next(signal),
    async close() {
      await consumer.stop();
      await reading;
    },
  };
}

async function endOf(log: ChangeLog): Promise<number> {
  const found = (await log.topics(CONTROL_TOPIC)).find(({ topic }) => topic === CONTROL_TOPIC);
  return found?.extents[0]?.end ?? 0;
}

/** Only sinks and capture write there; what cannot be read is theirs to report. */
function parse(value: Buffer | null): ControlMessage | null {
  if (value === null || !/"type":"(stored|table|apps|source)"/.test(value.toString('utf8', 0, 40)))
    return null;
  try {
    return JSON.parse(value.toString()) as ControlMessage;
  } catch {
    return null;
  }
}
