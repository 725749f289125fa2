import type { Pool } from 'pg';
import {
  type ChangeLog,
  CONTROL_TOPIC,
  type Config,
  type DeliveredBatch,
  HubError,
  type LogConsumer,
  type Logger,
  type Registry,
  SINK_GROUP,
  type StoredRecord,
  type TableEntry,
  toHubError,
  topicOf,
  type Warehouse,
} from '#kernel';
import { type Applied, applyBatch } from './apply.ts';
import { controlMessage } from './control.ts';
import { deadKeys, keepDeadLetters, MAX_OPEN, openDeadLetters, stamped } from './dead-letters.ts';
import { Gate } from './gate.ts';
import { Looks } from './looks.ts';
import { LARGE_ROWS, Pace } from './pace.ts';
import { Rows } from './rows.ts';
import { Meter, type SinkStats } from './stats.ts';
import { isShapeError } from './store.ts';
import { Held, Reshaped, SinkTable } from './table.ts';
import { Told } from './told.ts';
import { Watermarks } from './watermarks.ts';

export interface SinkOptions {
  readonly log: ChangeLog;
  readonly warehouse: Warehouse;
  readonly registry: Registry;
  readonly pool: Pool;
  readonly logger: Logger;
  readonly config: Config['sink'];
  readonly instance: string;
}

export interface Sink {
  /** Resolves once the sources known by then are being consumed; new ones are picked up by themselves. */
  start(): Promise<void>;
  /** Finishes the batches under way (or hands them back) and writes the last watermarks. */
  stop(): Promise<void>;
  stats(): SinkStats;
}

/** Batches encoded and inserted at once, and with the buffers kept for them the sink's memory. */
const CONCURRENT_INSERTS = 3;
/** Bytes of delivered, not yet stored events over all partitions. */
const IN_FLIGHT_BYTES = 64 * 1024 * 1024;
const HANDLERS = 16;
/** A buffer that one huge batch has grown beyond this is not kept. */
const KEPT_BUFFER_BYTES = 24 * 1024 * 1024;
const ATTEMPTS = 5;

/** Log -> ClickHouse. See clickhouse/README.md for the promises and the tests that prove them. */
export function createSink(options: SinkOptions): Sink {
  const { log, warehouse, registry, pool, config } = options;
  const logger = options.logger.child({ instance: options.instance });
  const tables = new Map<string, SinkTable>();
  const done = new Map<string, number>();
  const blocked = new Map<string, { readonly more: number; readonly reason: string }>();
  const partitions = new Map<string, number>();
  const gate = new Gate(CONCURRENT_INSERTS);
  const buffers: Rows[] = [];
  const pace = new Pace(config.minFlushMs);
  const meter = new Meter();
  const watermarks = new Watermarks(pool, logger);
  const looks = new Looks(log);
  const told = new Told(log);
  const history = new Set(config.history);
  let consumer: LogConsumer | null = null;
  let control: LogConsumer | null = null;
  let sources: readonly string[] = [];
  let changing: Promise<void> = Promise.resolve();
  let stopped = false;

  /** Re-reads the registry; what changed is forgotten, known tables keep their plans. */
  const refresh = async (): Promise<readonly TableEntry[]> => {
    const entries = await registry.tables();
    const seen = new Set(entries.map((entry) => entry.topic));
    partitions.clear();
    for (const topic of tables.keys()) {
      if (seen.has(topic)) continue;
      tables.delete(topic);
      blocked.delete(topic);
      watermarks.forget(topic);
    }
    for (const entry of entries) {
      const known = tables.get(entry.topic);
      if (known === undefined) {
        tables.set(entry.topic, new SinkTable(entry, warehouse, registry, history.has(entry.topic)));
      } else known.entry = entry;
    }
    return entries;
  };

  const tableOf = async (topic: string): Promise<SinkTable> => {
    const known = tables.get(topic);
    if (known !== undefined) return known;
    await refresh();
    const found = tables.get(topic);
    if (found === undefined) throw new Held(`Topic ${topic} belongs to no registered table.`);
    return found;
  };

  /** How many partitions the topic has. Looked up once per set of tables. */
  const partitionsOf = async (topic: string): Promise<number> => {
    let count = partitions.get(topic);
    if (count === undefined) {
      const info = (await log.topics(topic)).find((candidate) => candidate.topic === topic);
      count = info?.partitions ?? 1;
      partitions.set(topic, count);
    }
    return count;
  };

  const spread = async ({ topic, partition }: DeliveredBatch, record: StoredRecord): Promise<void> => {
    const others = Array.from({ length: await partitionsOf(topic) }, (_, index) => index);
    const batches = others
      .filter((index) => index !== partition)
      .map((index) => ({ topic, partition: index, records: [{ key: record.key, value: record.value }] }));
    await log.append(batches);
  };

  const apply = async (table: SinkTable, batch: DeliveredBatch, signal: AbortSignal): Promise<Applied> => {
    const leave = await gate.enter(signal);
    const rows = buffers.pop() ?? new Rows(1024 * 1024);
    try {
      for (let attempt = 1; ; attempt += 1) {
        try {
          const applied = await applyBatch(batch.records, table, rows, {
            warehouse,
            signal,
            maxDead: MAX_OPEN,
            shared: (await partitionsOf(batch.topic)) > 1,
            partition: batch.partition,
            spread: (record) => spread(batch, record),
            completed: async (rows) => {
              const { waiting, end } = await looks.completed(table.entry, batch.partition, rows);
              watermarks.hold(table.entry, batch.partition, end);
              return waiting;
            },
            looked: (offset, columns) => looks.has(table.entry, batch.partition, offset, columns),
            deadKeys: (keys) => deadKeys(pool, batch.topic, keys),
          });
          // After a failure the connection may still hold the buffer: it is not used again.
          if (rows.buffer.length <= KEPT_BUFFER_BYTES) buffers.push(rows);
          return applied;
        } catch (error) {
          // The table was replaced or altered by someone else: look again.
          const reshaped = isShapeError(error) || error instanceof Reshaped;
          if (!reshaped || attempt === ATTEMPTS) throw error;
          table.invalidate();
        }
      }
    } finally {
      leave();
    }
  };

  /** A table with too many dead letters stops until some are resolved; the others go on. */
  const refuseMore = async (table: SinkTable, more: number, reason: string): Promise<void> => {
    const open = await openDeadLetters(pool, table.entry);
    if (open + more <= MAX_OPEN) return;
    const { topic } = table.entry;
    const error = new HubError(
      'SINK_TOO_MANY_DEAD_LETTERS',
      `${topic} has ${open} dead letters and would get ${more} more: ${reason}`,
      { next: `Run bac deadletters list ${topic}, mend the cause, then replay or discard them.` },
    );
    blocked.set(topic, { more, reason });
    await registry.updateTable(table.entry, { state: 'failed', error: error.toJSON() });
    table.entry = { ...table.entry, state: 'failed', error: error.toJSON() };
    throw error;
  };

  const keepDead = async (table: SinkTable, batch: DeliveredBatch, dead: Applied['dead']): Promise<void> => {
    if (dead.length === 0) return;
    const reason = dead[0]!.error.message;
    await refuseMore(table, dead.length, reason);
    const letters = dead.map(({ record, error, generation }) => ({
      partition: batch.partition,
      record: stamped(batch.records[record]!, generation),
      error,
    }));
    await keepDeadLetters(pool, table.entry, batch.topic, letters);
    logger.warn(
      { table: table.entry.topic, count: dead.length, error: reason },
      'events kept as dead letters',
    );
  };

  const onBatch = async (delivered: DeliveredBatch, signal: AbortSignal): Promise<void> => {
    const at = `${delivered.partition} ${delivered.topic}`;
    const from = done.get(at) ?? 0;
    const resumed = from > delivered.records[0]!.offset && from <= delivered.end;
    const records = resumed ? delivered.records.filter((record) => record.offset >= from) : delivered.records;
    const batch = { ...delivered, records };
    const last = delivered.records.at(-1)!.offset;
    const table = await tableOf(batch.topic);
    const stuck = blocked.get(batch.topic);
    if (stuck !== undefined) await refuseMore(table, stuck.more, stuck.reason);
    const started = performance.now();
    if (records.length > 0) {
      const applied = await apply(table, batch, signal);
      const ms = performance.now() - started;
      await keepDead(table, batch, applied.dead);
      const reshaped = table.takeReshaped();
      if (applied.rows > 0 || reshaped) await told.tell(batch.topic, reshaped);
      if (applied.done > 0) {
        const position = applied.done === records.length ? last + 1 : records[applied.done]!.offset;
        if (applied.held === null) done.delete(at);
        else done.set(at, position);
        watermarks.reached(table.entry, batch.partition, position);
        meter.stored(batch.topic, applied.rows, applied.dead.length, ms, batch.end - position);
        pace.inserted(batch.topic, ms);
      }
      if (applied.held !== null) {
        // Whoever ends the waiting may not live to say so: the next attempt looks for itself.
        table.invalidate();
        throw applied.held;
      }
      await recovered(table);
      if (applied.rows < LARGE_ROWS && batch.end - 1 - last === 0) await pace.rest(started, signal);
    }
  };

  /** A table that failed here flows again. */
  const recovered = async (table: SinkTable): Promise<void> => {
    if (!blocked.delete(table.entry.topic) && !table.entry.error?.code.startsWith('SINK_')) return;
    await registry.updateTable(table.entry, { state: 'streaming', error: null });
    table.entry = { ...table.entry, state: 'streaming', error: null };
  };

  const onError = (thrown: unknown, at: { topic: string; partition: number }): void => {
    const error = toHubError(thrown);
    if (error instanceof Held) {
      meter.table(at.topic).held = error.message;
      logger.debug({ ...at, reason: error.message }, 'events wait');
      return;
    }
    meter.failed(at.topic, error);
    logger.warn({ ...at, code: error.code, error: error.message }, 'batch failed, will be tried again');
  };

  /** (Re)starts the consumer when the set of sources has changed. */
  const follow = (): Promise<void> => {
    changing = changing.then(async () => {
      const entries = await refresh();
      const wanted = [...new Set(entries.map((entry) => entry.source))].sort();
      if (stopped || wanted.join() === sources.join()) return;
      await consumer?.stop();
      sources = wanted;
      consumer = log.consume({
        group: SINK_GROUP,
        topics: wanted.map((source) => ({ prefix: `${source}.` })),
        maxBatchBytes: Math.min(config.maxBatchBytes, IN_FLIGHT_BYTES / HANDLERS),
        concurrency: HANDLERS,
        onBatch,
        onDone: ({ topic, partition }, position) => {
          const table = tables.get(topic);
          if (table !== undefined) watermarks.reached(table.entry, partition, position);
        },
        onError,
      });
      await consumer.ready;
    });
    return changing;
  };

  /** Reads where newly assigned partitions stand, once each. */
  const locate = async (): Promise<void> => {
    const assigned = consumer?.assignment() ?? [];
    if (assigned.every(({ topic, partition }) => watermarks.isKnown(topic, partition))) return;
    for (const { topic, partition, committed, end } of await log.lag(SINK_GROUP)) {
      const entry = tables.get(topic)?.entry;
      const mine = assigned.some((one) => one.topic === topic && one.partition === partition);
      if (entry !== undefined && mine && !watermarks.isKnown(topic, partition)) {
        watermarks.known(entry, partition, committed, end);
      }
    }
  };

  /** Tables whose registered shape may be newer than theirs. */
  const behind = new Set<string>();
  let reshaping: Promise<void> = Promise.resolve();
  /**
   * Brings tables to the shape that is registered for them, since no row may come that would. What fails for now is
   * tried again with the next message; what cannot be done is met, and told, by the first row of that shape.
   */
  const reshape = async (): Promise<void> => {
    for (const topic of [...behind]) {
      const table = tables.get(topic);
      behind.delete(topic);
      if (stopped || table?.entry.state !== 'streaming') continue;
      try {
        await table.reach(table.entry.version);
        if (table.takeReshaped()) await told.tell(topic, true);
      } catch (thrown) {
        const { code, message, disposition } = toHubError(thrown);
        logger.warn({ topic, code, error: message }, 'table not brought to its new shape');
        if (disposition !== 'transient') continue;
        behind.add(topic);
        return;
      }
    }
  };

  const onControl = async (batch: DeliveredBatch): Promise<void> => {
    const messages = batch.records.flatMap((record) => controlMessage(record.value, logger) ?? []);
    const told = messages.filter(({ type }) => type !== 'watermark' && type !== 'stored');
    const topics = told.flatMap((one) =>
      one.type === 'table' || one.type === 'looked' ? [topicOf(one)] : [],
    );
    for (const topic of topics) tables.get(topic)?.invalidate();
    for (const one of told) if (one.type === 'looked') looks.answered(one.ask, one.end);
    if (topics.length > 0 || told.some((one) => one.type === 'source')) await follow();
    for (const topic of topics) {
      consumer?.nudge(topic);
      behind.add(topic);
    }
    if (behind.size > 0) reshaping = reshaping.then(reshape);
    for (const message of messages) {
      if (message.type !== 'watermark') continue;
      await locate();
      const assigned = consumer?.assignment() ?? [];
      const live = [...tables.values()].filter(
        ({ entry }) => entry.source === message.source && entry.state === 'streaming',
      );
      const mine = live.map(async ({ entry }) => ({
        entry,
        of: await partitionsOf(entry.topic),
        partitions: assigned.filter((one) => one.topic === entry.topic).map((one) => one.partition),
      }));
      watermarks.claim(message, await Promise.all(mine));
    }
  };

  return {
    async start() {
      await log.ensureTopic(CONTROL_TOPIC, { partitions: 1, retentionMs: 86_400_000 });
      control = log.consume({
        group: null,
        topics: [CONTROL_TOPIC],
        from: 'end',
        onBatch: onControl,
        onError,
      });
      await control.ready;
      await follow();
      // What was told while no sink ran.
      for (const [topic, { entry }] of tables) if (entry.version > 1) behind.add(topic);
      reshaping = reshaping.then(reshape);
    },
    async stop() {
      stopped = true;
      await control?.stop();
      await changing;
      await reshaping;
      await consumer?.stop();
      await watermarks.close();
    },
    stats: () => meter.read(pace.interval()),
  };
}
