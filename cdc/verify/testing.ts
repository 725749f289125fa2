import pg from 'pg';
import { createSink, createSnapshotTarget, type Sink } from '#clickhouse';
import {
  type ChangeLog,
  configSchema,
  createRegistry,
  migrateState,
  type Registry,
  type SnapshotTarget,
  silentLogger,
  type TableState,
  type Warehouse,
} from '#kernel';
import { testClickHouse } from '#tests/clickhouse';
import type { TestCluster } from '#tests/cluster';
import { eventually } from '#tests/eventually';
import { testLog } from '#tests/log';
import { testPostgres } from '#tests/postgres';
import { addSource, type Capture, createCapture } from '../capture/index.ts';

/** Source `shop`, state, log, warehouse and sink, all real. */
export interface Pipeline extends AsyncDisposable {
  readonly app: pg.Client;
  readonly url: string;
  readonly pool: pg.Pool;
  readonly registry: Registry;
  readonly target: SnapshotTarget;
  readonly warehouse: Warehouse;
  readonly log: ChangeLog;
  sink(): Promise<Sink>;
  /** Captures the whole of `shop`. */
  capture(partitions?: number): Promise<Capture>;
  /** Resolves when the table's state is this one. */
  state(table: string, wanted: TableState): Promise<void>;
}

/** `cluster`: the warehouse, instead of an engine of its own; it is not ended with the pipeline. */
export async function pipeline(cluster?: TestCluster): Promise<Pipeline> {
  const server = await testPostgres();
  const own = cluster === undefined ? await testClickHouse() : null;
  const { log, stop } = await testLog();
  const pool = new pg.Pool({ connectionString: server.url, max: 8 });
  pool.on('error', () => undefined); // the server ends first
  await migrateState(pool);
  await pool.query('CREATE DATABASE shop');
  const url = server.url.replace(/\/bac$/, '/shop');
  const app = new pg.Client({ connectionString: url });
  await app.connect();
  const registry = createRegistry(pool);
  const logger = silentLogger();
  const { warehouse } = own ?? cluster!;
  const target = createSnapshotTarget({ warehouse, registry, logger });
  const config = configSchema.parse({});
  const running: { stop(): Promise<void> }[] = [];
  return {
    app,
    url,
    pool,
    registry,
    target,
    warehouse,
    log,
    async sink() {
      const instance = 'test';
      const sink = createSink({ pool, log, registry, warehouse, logger, config: config.sink, instance });
      running.push(sink);
      await sink.start();
      return sink;
    },
    async capture(partitions = 2) {
      const capture = createCapture({
        pool,
        log,
        registry,
        target,
        logger,
        config: config.capture,
        partitions,
        instance: 'test',
      });
      running.push(capture);
      await capture.start();
      await addSource(pool, log, { name: 'shop', url, kind: 'postgres' });
      return capture;
    },
    async state(table, wanted) {
      let seen: unknown;
      await eventually(
        async () => {
          const entry = await registry.table({ source: 'shop', schema: 'public', table });
          seen = entry;
          return entry?.state === wanted ? true : undefined;
        },
        90_000,
        () => JSON.stringify(seen),
      );
    },
    async [Symbol.asyncDispose]() {
      for (const part of running.reverse()) await part.stop();
      await app.end();
      await pool.end();
      await stop();
      await own?.[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
