import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type App, applyPlan, createAppsRuntime, createChangeFeed, planApps, prepareAppsLogin } from '#apps';
import {
  addSource,
  createCapture,
  pauseSource,
  removeSource,
  resnapshotSource,
  resumeSource,
  scheduleSource,
} from '#cdc';
import { createSink, createSnapshotTarget, discardDeadLetters, replayDeadLetters } from '#clickhouse';
import {
  type ChangeLog,
  type Config,
  configSchema,
  createRegistry,
  migrateState,
  type Principal,
  type Registry,
  silentLogger,
  type Warehouse,
} from '#kernel';
import { testClickHouse } from '#tests/clickhouse';
import { testLog } from '#tests/log';
import { testPostgres } from '#tests/postgres';
import { appsService, openRegistry } from '../apps/index.ts';
import { createApiKey } from '../identity/index.ts';
import { type HubSemantic, openSemantic } from '../semantic/index.ts';
import { startSql } from '../sql/index.ts';
import { createHttpServer, type HttpServerOptions } from './server.ts';
import type { HubServices } from './services.ts';

export interface TestHub extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly config: Config;
  readonly pool: pg.Pool;
  readonly log: ChangeLog;
  readonly registry: Registry;
  readonly warehouse: Warehouse;
  /** Asked for with `semantic`. */
  readonly semantic?: HubSemantic;
  /** Connection string of the records engine's own login; empty without apps. */
  readonly appsLogin: string;
  /** Connection string of the operational database. */
  readonly database: string;
  /** Keys by their rights. */
  readonly keys: Readonly<Record<'read' | 'write' | 'admin', string>>;
  /** A state folder as `bac up` leaves it, for the command line. */
  readonly stateDir: string;
  /** Kills the ClickHouse engine with SIGKILL. */
  killWarehouse(): Promise<void>;
  close(): Promise<void>;
}

const principal = (scope: 'read' | 'write' | 'admin'): Principal => ({
  tenant: null,
  user: scope,
  roles: [],
  attributes: {},
  scopes: scope === 'write' ? ['read', 'write'] : [scope],
});

/** The API on a real database, log, ClickHouse, capture and sink, all in this process but the engines. */
export async function testHub(
  options: {
    services?: Partial<HubServices>;
    http?: Partial<HttpServerOptions>;
    /** Definitions whose tables are made and whose records are served. */
    apps?: readonly App[];
    /** With the semantic layer. */
    semantic?: boolean;
    /** A company's own model files. */
    modelDir?: string;
  } = {},
): Promise<TestHub> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await testPostgres());
  const engine = stack.use(await testClickHouse());
  const pool = new pg.Pool({ connectionString: server.url, max: 10 });
  pool.on('error', () => undefined);
  stack.defer(() => pool.end());
  await migrateState(pool);
  const { log, stop } = await testLog();
  stack.defer(stop);
  const registry = createRegistry(pool);
  const { warehouse } = engine;
  const logger = silentLogger();
  const stateDir = mkdtempSync(join(tmpdir(), 'bac-test-hub-'));
  stack.defer(async () => rmSync(stateDir, { recursive: true, force: true }));
  const { modelDir } = options;
  const config = configSchema.parse({
    stateDir,
    http: { port: 0 },
    sink: { minFlushMs: 5 },
    semantic: { modelDir },
  });
  const common = { pool, log, registry, logger, instance: 'test' };
  const sink = createSink({ ...common, warehouse, config: config.sink });
  const target = createSnapshotTarget({ warehouse, registry, logger });
  const capture = createCapture({ ...common, target, config: config.capture, partitions: 1 });
  await sink.start();
  stack.defer(() => sink.stop());
  await capture.start();
  stack.defer(() => capture.stop());
  const apps = openRegistry({ pool, log, logger, postgresUrl: server.url });
  stack.defer(() => apps.close());
  const services: HubServices = {
    apps: appsService(pool, apps),
    sources: {
      add: (source) => addSource(pool, log, source),
      pause: (name) => pauseSource(pool, log, name),
      resume: (name) => resumeSource(pool, log, name),
      remove: (name, choice) => removeSource(pool, log, name, choice),
      resnapshot: (name, tables) => resnapshotSource(pool, log, name, tables),
      schedule: (name, verify) => scheduleSource(pool, name, verify),
    },
    deadLetters: {
      replay: (choice) => replayDeadLetters(pool, log, choice),
      discard: (choice) => discardDeadLetters(pool, choice),
    },
    verify: async () => ({ ok: true }),
    ...options.services,
  };
  const served = options.apps ? stack.use(await serveApps(options.apps, server.url, pool, log)) : null;
  const webRoot = join(stateDir, 'web');
  writeWebApp(webRoot);
  const semantic = options.semantic
    ? await openSemantic({ ...common, warehouse, apps: () => options.apps ?? [], limits: config.semantic })
    : null;
  stack.defer(async () => semantic?.close());
  const sql =
    semantic && (await startSql({ pool, logger, layer: semantic, config: { ...config.sql, port: 0 } }));
  stack.defer(async () => sql?.close());
  const http = createHttpServer({
    sealSecrets: ['of this test', 'an older one'],
    ...common,
    config,
    warehouse,
    services,
    webRoot,
    startedAt: new Date(),
    ...(served ? { apps: served } : {}),
    ...(semantic && sql ? { semantic, sql } : {}),
    ...options.http,
  });
  const { port } = await http.listen();
  stack.defer(() => http.close());
  const url = `http://127.0.0.1:${port}`;
  const keys = {
    read: await createApiKey(pool, principal('read')),
    write: await createApiKey(pool, principal('write')),
    admin: await createApiKey(pool, principal('admin')),
  };
  writeFileSync(join(stateDir, 'hub.json'), JSON.stringify({ pid: process.pid, addresses: { http: url } }));
  writeFileSync(join(stateDir, 'key'), `${keys.admin}\n`, { mode: 0o600 });
  const kept = stack.move();
  return {
    url,
    port,
    config,
    pool,
    log,
    registry,
    warehouse,
    database: server.url,
    appsLogin: served?.login ?? '',
    ...(semantic ? { semantic } : {}),
    keys,
    stateDir,
    killWarehouse: () => engine.kill9(),
    close: () => http.close(),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function serveApps(definitions: readonly App[], database: string, pool: pg.Pool, log: ChangeLog) {
  const url = await prepareAppsLogin(pool, database);
  const client = await pool.connect();
  try {
    await applyPlan(client, await planApps(client, definitions));
  } finally {
    client.release();
  }
  const logger = silentLogger();
  const runtime = createAppsRuntime({ url, apps: definitions, logger });
  const feed = createChangeFeed({ log, source: 'business', logger });
  return {
    runtime,
    feed,
    login: url,
    async [Symbol.asyncDispose]() {
      await feed.close();
      await runtime.close();
    },
  };
}

function writeWebApp(root: string): void {
  mkdirSync(join(root, 'assets'), { recursive: true });
  writeFileSync(join(root, 'index.html'), '<!doctype html><title>BAC Hub</title>');
  writeFileSync(join(root, 'assets', 'app.js'), 'export {};');
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  readonly json: any;
}

/** A request with exactly the headers given: `fetch` would not let Host and Origin be set. */
export async function ask(
  hub: Pick<TestHub, 'port'>,
  method: string,
  path: string,
  options: { headers?: Record<string, string>; key?: string; body?: unknown } = {},
): Promise<Answer> {
  const { headers = {}, key, body } = options;
  const sent = request({
    host: '127.0.0.1',
    port: hub.port,
    method,
    path,
    agent: false,
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
  });
  sent.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const isJson =
    /json/.test(response.headers['content-type'] ?? '') &&
    !/ndjson/.test(response.headers['content-type'] ?? '');
  return {
    status: response.statusCode!,
    headers: response.headers,
    text,
    json: isJson ? JSON.parse(text) : null,
  };
}
