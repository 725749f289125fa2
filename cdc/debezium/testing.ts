import pg from 'pg';
import { createCapture } from '#cdc';
import { createSink, createSnapshotTarget, type Sink } from '#clickhouse';
import {
  type ChangeLog,
  configSchema,
  createRegistry,
  migrateState,
  type Registry,
  silentLogger,
} from '#kernel';
import { openKafkaLog } from '#stream';
import { type TestClickHouse, testClickHouse } from '#tests/clickhouse';
import { eventually } from '#tests/eventually';
import { type TestKafka, testKafka } from '#tests/kafka';
import { type TestPostgres, testPostgres } from '#tests/postgres';
import type { Capture, CaptureOptions } from '../capture/index.ts';
import { addSource, type NewSource } from '../capture/index.ts';
import { type ConnectClient, createConnectClient } from './connect-client.ts';

/** The whole way from a real PostgreSQL through a real Connect and Kafka into a real ClickHouse. */
export interface World extends AsyncDisposable {
  readonly kafka: TestKafka;
  readonly server: TestPostgres;
  readonly clickhouse: TestClickHouse;
  readonly pool: pg.Pool;
  readonly log: ChangeLog;
  readonly registry: Registry;
  readonly connect: ConnectClient;
  readonly setup: { readonly connect: { readonly url: string }; readonly log: 'kafka' };
  /** Database `shop`, as the applications see it. */
  readonly app: pg.Client;
  readonly url: string;
  capture(options?: Partial<CaptureOptions>): Promise<Capture>;
  add(source: Omit<NewSource, 'url' | 'kind'>): Promise<void>;
  /** State and error of a source as `bac status` shows them. */
  source(name: string): Promise<{ state: string; error: { code: string; message: string } | null }>;
  streams(source: string, table: string): Promise<void>;
  /** Resolves once the sink has stored all of a source that was committed before the call. */
  settled(source: string, timeoutMs?: number): Promise<void>;
}

export async function world({
  settings = {},
  partitions = 1,
}: {
  settings?: Record<string, string>;
  partitions?: number;
} = {}): Promise<World> {
  const stack = new AsyncDisposableStack();
  const [kafka, server, clickhouse] = await Promise.all([
    testKafka({ connect: true }),
    testPostgres(settings),
    testClickHouse(),
  ]);
  for (const part of [kafka, server, clickhouse]) stack.use(part);
  const logger = silentLogger();
  const pool = new pg.Pool({ connectionString: server.url, max: 8 });
  pool.on('error', () => undefined);
  stack.defer(() => pool.end());
  await migrateState(pool);
  await pool.query('CREATE DATABASE shop');
  const url = server.url.replace(/\/bac$/, '/shop');
  const app = new pg.Client({ connectionString: url });
  app.on('error', () => undefined);
  await app.connect();
  stack.defer(() => app.end().catch(() => undefined));
  const log = await openKafkaLog({ brokers: kafka.bootstrap, log: logger });
  stack.defer(() => log.close());
  const { warehouse } = clickhouse;
  const registry = createRegistry(pool);
  const config = configSchema.parse({});
  const setup = { connect: { url: kafka.connectUrl! }, log: 'kafka' } as const;
  const sink: Sink = createSink({
    log,
    warehouse,
    registry,
    pool,
    logger,
    config: config.sink,
    instance: 'sink',
  });
  await sink.start();
  stack.defer(() => sink.stop());
  const target = createSnapshotTarget({ warehouse, registry, logger });
  const source = async (name: string) => {
    const { rows } = await pool.query('SELECT state, error FROM bac.sources WHERE name = $1', [name]);
    return rows[0] ?? { state: 'absent', error: null };
  };
  return {
    kafka,
    server,
    clickhouse,
    pool,
    log,
    registry,
    setup,
    app,
    url,
    connect: createConnectClient({ url: kafka.connectUrl! }),
    source,
    async capture(options = {}) {
      const capture = createCapture({
        pool,
        log,
        registry,
        target,
        logger,
        config: config.capture,
        partitions,
        instance: 'test',
        rescanMs: 1000,
        connect: setup.connect,
        ...options,
      });
      await capture.start();
      stack.defer(() => capture.stop());
      return capture;
    },
    add: (asked) => addSource(pool, log, { ...asked, url, kind: 'postgres' }, setup),
    async streams(name, table) {
      await eventually(
        async () => {
          const entry = await registry.table({ source: name, schema: 'public', table });
          return entry?.state === 'streaming' ? true : undefined;
        },
        90_000,
        () => `${name}.${table} does not stream`,
      );
    },
    async settled(name, timeoutMs = 240_000) {
      const { rows } = await app.query<{ now: Date }>('SELECT clock_timestamp() AS now');
      let last = '';
      await eventually(
        async () => {
          const { rows: marks } = await pool.query<{ table: string; behind: boolean }>(
            `SELECT t.table_name AS table, coalesce(min(w.committed_at) < $2, true) AS behind FROM bac.tables t
             LEFT JOIN bac.watermarks w USING (source, schema_name, table_name)
             WHERE t.source = $1 AND t.state NOT IN ('dropped', 'unsupported') GROUP BY 1`,
            [name, rows[0]!.now],
          );
          last = marks
            .filter(({ behind }) => behind)
            .map((row) => row.table)
            .join();
          return marks.length > 0 && last === '' ? true : undefined;
        },
        timeoutMs,
        () => `${name}: ${last} not settled; ${JSON.stringify(sink.stats().tables)}`,
      );
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
