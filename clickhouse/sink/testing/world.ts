import type pg from 'pg';
import { Pool } from 'pg';
import { createSink, createSnapshotTarget, type Sink } from '#clickhouse';
import {
  type ChangeLog,
  CONTROL_TOPIC,
  type Config,
  type ControlMessage,
  chTable,
  configSchema,
  createRegistry,
  type LogRecord,
  migrateState,
  partitionOf,
  type Registry,
  type SnapshotTarget,
  silentLogger,
  type TableSchema,
  topicOf,
  type Warehouse,
  warehouseTableOf,
} from '#kernel';
import { type TestClickHouse, testClickHouse } from '#tests/clickhouse';
import type { TestCluster } from '#tests/cluster';
import { testLog } from '#tests/log';
import { testPostgres } from '#tests/postgres';
import { readTable } from '../../tables/index.ts';

type CompleteRows = (asked: Extract<ControlMessage, { type: 'complete' }>) => Promise<void>;

/** Everything a sink stands on, all real, and the means to play capture. */
export interface World extends AsyncDisposable {
  readonly pool: pg.Pool;
  readonly log: ChangeLog;
  readonly clickhouse: TestClickHouse;
  readonly warehouse: Warehouse;
  readonly registry: Registry;
  readonly snapshots: SnapshotTarget;
  sink(config?: Partial<Config['sink']>): Sink;
  /** Registers the schema and makes its snapshot live with the given COPY text. */
  register(
    schema: TableSchema,
    /** `told: false`: whoever swapped the snapshot in ended before it could say so. */
    options?: { generation?: number; rows?: string; partitions?: number; told?: boolean },
  ): Promise<void>;
  append(schema: TableSchema, records: readonly LogRecord[], partitions?: number): Promise<void>;
  control(message: ControlMessage): Promise<void>;
  /** What capture does when it is asked to complete rows; nothing, by default. */
  onComplete(answer: CompleteRows): void;
  /** Resolves once the sink group has committed all that is in the log. */
  drained(timeoutMs?: number): Promise<void>;
  /** Merges all parts of a table. */
  merge(schema: TableSchema): Promise<void>;
  /** FINAL rows as objects; of all shards together. */
  rows<Row>(schema: TableSchema, columns?: string): Promise<Row[]>;
}

/** `cluster`: the warehouse is that one instead of an engine of its own, and is not ended with the world. */
export async function testWorld(cluster?: TestCluster): Promise<World> {
  const [postgres, own, test] = await Promise.all([
    testPostgres(),
    cluster === undefined ? testClickHouse() : null,
    testLog(),
  ]);
  const clickhouse = own ?? cluster!.engines[0]!;
  const engines = cluster?.engines ?? [clickhouse];
  const pool = new Pool({ connectionString: postgres.url, max: 6 });
  pool.on('error', () => undefined); // the server ends first
  await migrateState(pool);
  const { log } = test;
  const { warehouse } = cluster ?? clickhouse;
  const registry = createRegistry(pool);
  const logger = silentLogger();
  const snapshots = createSnapshotTarget({ warehouse, registry, logger });
  const sinks: Sink[] = [];
  await log.ensureTopic(CONTROL_TOPIC, { partitions: 1 });
  const control = async (message: ControlMessage): Promise<void> => {
    const value = Buffer.from(JSON.stringify(message));
    await log.append([{ topic: CONTROL_TOPIC, partition: 0, records: [{ key: null, value }] }]);
  };
  let complete: CompleteRows = async () => undefined;
  // Plays capture, which has nothing new to register whenever it is asked to look.
  const capture = log.consume({
    group: null,
    topics: [CONTROL_TOPIC],
    from: 'start',
    async onBatch({ records }) {
      for (const { value } of records) {
        const message = JSON.parse(value!.toString()) as ControlMessage;
        if (message.type === 'complete') await complete(message);
        else if (message.type !== 'look') continue;
        await control({ ...message, type: 'looked' });
      }
    },
  });
  return {
    pool,
    log,
    clickhouse,
    warehouse,
    registry,
    snapshots,
    control,
    onComplete(answer) {
      complete = answer;
    },
    sink(config = {}) {
      const sink = createSink({
        log,
        warehouse,
        registry,
        pool,
        logger,
        config: { ...configSchema.parse({}).sink, ...config },
        instance: `sink-${sinks.length}`,
      });
      sinks.push(sink);
      return sink;
    },
    async register(schema, { generation = 1, rows, partitions = 1, told = true } = {}) {
      const { source, table } = schema;
      const entry = { source, schema: schema.schema, table, topic: topicOf(schema), version: schema.version };
      await log.ensureTopic(entry.topic, { partitions });
      await registry.addVersion(schema);
      await registry.upsertTable({
        ...entry,
        state: 'snapshotting',
        generation,
        snapshotRows: 0,
        estimatedRows: 0,
        error: null,
      });
      await snapshots.begin(schema, generation, false);
      if (rows !== undefined) await load(snapshots, schema, generation, rows);
      await snapshots.finish(schema, generation);
      await registry.updateTable(schema, { state: 'streaming' });
      if (told) await control({ type: 'table', source, schema: schema.schema, table });
    },
    async append(schema, records, partitions = 1) {
      const topic = topicOf(schema);
      await log.append(
        Array.from({ length: partitions }, (_, partition) => ({
          topic,
          partition,
          records: records.filter(({ key }) => key === null || partitionOf(key, partitions) === partition),
        })).filter((batch) => batch.records.length > 0),
      );
    },
    async drained(timeoutMs = 20_000) {
      const until = performance.now() + timeoutMs;
      for (;;) {
        const lags = await log.lag('bac.sink');
        const behind = lags.filter((lag) => lag.lag > 0);
        if (lags.length > 0 && behind.length === 0) return;
        if (performance.now() > until) {
          throw new Error(`still behind: ${JSON.stringify(behind)} ${JSON.stringify(sinks.at(-1)?.stats())}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    async rows<Row>(schema: TableSchema, columns = '*'): Promise<Row[]> {
      const { database, table } = warehouseTableOf(schema);
      const stored = (await readTable(warehouse, database, table))?.stored ?? table;
      const parts = await Promise.all(
        engines.map((engine) =>
          engine.warehouse.query<Row>(
            `SELECT ${columns} FROM ${chTable(database, stored)} FINAL ORDER BY ALL`,
          ),
        ),
      );
      return parts.length === 1 ? parts[0]! : parts.flat().sort(byFirstField);
    },
    async merge(schema) {
      const { database, table } = warehouseTableOf(schema);
      const stored = (await readTable(warehouse, database, table))?.stored ?? table;
      for (const engine of engines) {
        await engine.warehouse.command(`OPTIMIZE TABLE ${chTable(database, stored)} FINAL`);
      }
    },
    async [Symbol.asyncDispose]() {
      await capture.stop();
      await Promise.all(sinks.map((sink) => sink.stop()));
      await test.stop();
      await pool.end();
      await own?.[Symbol.asyncDispose]();
      await postgres[Symbol.asyncDispose]();
    },
  };
}

const byFirstField = (a: unknown, b: unknown): number => {
  const [x, y] = [a, b].map((row) => Object.values(row as Record<string, string | number>)[0]!);
  return x! < y! ? -1 : x! > y! ? 1 : 0;
};

async function load(
  target: SnapshotTarget,
  schema: TableSchema,
  generation: number,
  rows: string,
): Promise<void> {
  const { Readable } = await import('node:stream');
  await target.load(
    schema,
    generation,
    Readable.from([Buffer.from(rows)], { objectMode: false }),
    'with-raw',
  );
}
