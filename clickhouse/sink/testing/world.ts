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
import { testLog } from '#tests/log';
import { testPostgres } from '#tests/postgres';

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
  /** Resolves once the sink group has committed all that is in the log. */
  drained(timeoutMs?: number): Promise<void>;
  /** FINAL rows as objects. */
  rows<Row>(schema: TableSchema, columns?: string): Promise<Row[]>;
}

export async function testWorld(): Promise<World> {
  const [postgres, clickhouse, test] = await Promise.all([testPostgres(), testClickHouse(), testLog()]);
  const pool = new Pool({ connectionString: postgres.url, max: 6 });
  await migrateState(pool);
  const { log } = test;
  const { warehouse } = clickhouse;
  const registry = createRegistry(pool);
  const logger = silentLogger();
  const snapshots = createSnapshotTarget({ warehouse, registry, logger });
  const sinks: Sink[] = [];
  await log.ensureTopic(CONTROL_TOPIC, { partitions: 1 });
  const control = async (message: ControlMessage): Promise<void> => {
    const value = Buffer.from(JSON.stringify(message));
    await log.append([{ topic: CONTROL_TOPIC, partition: 0, records: [{ key: null, value }] }]);
  };
  return {
    pool,
    log,
    clickhouse,
    warehouse,
    registry,
    snapshots,
    control,
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
    rows: (schema, columns = '*') => {
      const { database, table } = warehouseTableOf(schema);
      return warehouse.query(`SELECT ${columns} FROM ${chTable(database, table)} FINAL ORDER BY ALL`);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(sinks.map((sink) => sink.stop()));
      await test.stop();
      await pool.end();
      await clickhouse[Symbol.asyncDispose]();
      await postgres[Symbol.asyncDispose]();
    },
  };
}

async function load(
  target: SnapshotTarget,
  schema: TableSchema,
  generation: number,
  rows: string,
): Promise<void> {
  const { Readable } = await import('node:stream');
  await target.load(schema, generation, Readable.from([Buffer.from(rows)], { objectMode: false }));
}
