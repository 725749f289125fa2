import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#apps';
import {
  createWarehouse,
  type EmbeddedClickHouse,
  migrateWarehouse,
  startEmbeddedClickHouse,
} from '#clickhouse';
import { type ChosenPorts, type Config, createLogger, type Logger, migrateState, userError } from '#kernel';
import { createApiKey } from '../http/index.ts';
import type { RoleName, RoleSettings } from '../roles/index.ts';
import { openStateFolder, type StateFolder } from '../state/index.ts';
import { prepareDemo, waitForSnapshot } from './demo.ts';
import { claimPort } from './ports.ts';
import type { Reporter } from './reporter.ts';
import { startRole } from './role-process.ts';
import { rotatingLog } from './rotating-log.ts';
import { type Running, supervise, type Unit } from './unit.ts';

export interface UpOptions {
  readonly config: Config;
  readonly chosen: ChosenPorts;
  readonly version: string;
  readonly roles: readonly RoleName[];
  readonly demo: boolean;
  readonly reporter: Reporter;
  /** Aborts a start that is under way. */
  readonly signal: AbortSignal;
}

export interface Hub {
  readonly addresses: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** A user of the embedded engine who can only read, for people's own tools; its password is in the state folder. */
const READER = 'bac_reader';

/**
 * Starts everything on this machine in dependency order and keeps it running: engines, then roles,
 * then the demo business. Resolves when the addresses answer and the demo is flowing. On failure
 * whatever had started is stopped again.
 */
export async function up(options: UpOptions): Promise<Hub> {
  const folder = openStateFolder(options.config.stateDir);
  folder.claim(options.version);
  const logs = rotatingLog(folder.logs);
  const logger = createLogger({ role: 'supervisor', level: options.config.logLevel, destination: logs });
  const units: Unit<Running>[] = [];
  const stop = async (): Promise<void> => {
    // Roles first, engines last: every role can still finish what it holds.
    for (const unit of units.toReversed()) await unit.stop();
    folder.release();
    await new Promise<void>((resolve) => logs.end(resolve));
  };
  try {
    const addresses = await startAll({ ...options, folder, logs, logger, units });
    return { addresses, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Starting extends UpOptions {
  readonly folder: StateFolder;
  readonly logs: NodeJS.WritableStream & import('node:stream').Writable;
  readonly logger: Logger;
  readonly units: Unit<Running>[];
}

async function startAll(at: Starting): Promise<Record<string, string>> {
  const { config, chosen, folder, logger, reporter, units } = at;
  const http = await claimPort('the web page and API', config.http.port, chosen.has('http'), 'BAC_HTTP_PORT');
  const addresses: Record<string, string> = {};
  const publish = (): void => {
    const processes = units.map((unit) => unit.status()).filter((status) => status.pid !== null);
    folder.publish({
      addresses,
      processes: Object.fromEntries(processes.map(({ name, pid }) => [name, pid!])),
    });
  };
  const run = async <R extends Running>(name: string, launch: () => Promise<R>): Promise<R> => {
    at.signal.throwIfAborted();
    const unit = supervise(name, launch, logger, publish);
    units.push(unit as Unit<Running>);
    return unit.start();
  };

  const postgresUrl = await startPostgres(at, run);
  addresses.postgres = new URL(postgresUrl).host;
  const pool = new pg.Pool({ connectionString: postgresUrl, max: 4, application_name: 'bac up' });
  pool.on('error', (error) => logger.warn({ error: error.message }, 'state connection lost'));
  try {
    await migrateState(pool);
    await pool.query('DELETE FROM bac.role_stats');
    const clickhouse = await startClickHouse(at, run);
    addresses.clickhouse = clickhouse.url;
    const warehouse = createWarehouse({ ...clickhouse, user: config.clickhouse.user, log: logger });
    await migrateWarehouse(warehouse).finally(() => warehouse.close());
    await ensureOwnerKey(pool, folder);
    const settings: Omit<RoleSettings, 'instance'> = {
      version: at.version,
      config: { ...config, http: { ...config.http, port: http.port } },
      postgresUrl,
      clickhouse: { url: clickhouse.url, user: config.clickhouse.user, password: clickhouse.password },
      logDir: folder.log,
      stateRoot: folder.root,
      demo: at.demo,
    };
    const startRoleUnit = (name: RoleName) =>
      run(name, () => startRole(name, { ...settings, instance: `${name}-1` }, at.logs));
    for (const name of at.roles.filter((role) => role !== 'worker')) {
      const started = performance.now();
      const role = await startRoleUnit(name);
      if (name === 'api') addresses.http = `http://${config.http.host}:${role.facts.port ?? http.port}`;
      reporter.done(
        name,
        `ready (${seconds(started)})${name === 'api' && http.moved ? `; port ${config.http.port} was taken` : ''}`,
      );
    }
    publish();
    if (at.demo) await prepareDemo({ ...at, pool, postgresUrl, logDir: folder.log });
    if (at.roles.includes('worker')) await startRoleUnit('worker');
    if (at.demo && at.roles.includes('capture') && at.roles.includes('sink'))
      await waitForSnapshot(pool, reporter, at.signal);
    publish();
  } finally {
    await pool.end();
  }
  return addresses;
}

type Run = <R extends Running>(name: string, launch: () => Promise<R>) => Promise<R>;

async function startPostgres(at: Starting, run: Run): Promise<string> {
  const { config, reporter } = at;
  const started = performance.now();
  if (config.postgres.url !== undefined) {
    reporter.done('PostgreSQL', `yours, at ${new URL(config.postgres.url).host}`);
    return config.postgres.url;
  }
  const claimed = await claimPort(
    'PostgreSQL',
    config.postgres.port,
    at.chosen.has('postgres'),
    'BAC_POSTGRES_PORT',
  );
  reporter.progress('PostgreSQL', 'starting');
  let port = claimed.port;
  const server = await run<EmbeddedPostgres>('postgres', async () => {
    const launched = await startEmbeddedPostgres({ dir: at.folder.postgres, port, log: at.logger });
    port = launched.port;
    return launched;
  });
  reporter.done(
    'PostgreSQL',
    `ready on 127.0.0.1:${server.port} (${seconds(started)})${movedNote(claimed.moved, config.postgres.port)}`,
  );
  return server.url;
}

async function startClickHouse(at: Starting, run: Run): Promise<{ url: string; password: string }> {
  const { config, reporter, folder } = at;
  const started = performance.now();
  if (config.clickhouse.url !== undefined) {
    if (config.clickhouse.password === undefined) {
      throw userError(
        'CONFIG_INVALID',
        'clickhouse.url is set but clickhouse.password is not.',
        'Set BAC_CLICKHOUSE_PASSWORD.',
      );
    }
    reporter.done('ClickHouse', `yours, at ${new URL(config.clickhouse.url).host}`);
    return { url: config.clickhouse.url, password: config.clickhouse.password };
  }
  const password = config.clickhouse.password ?? folder.secret('clickhouse-password');
  const claimed = await claimPort(
    'ClickHouse',
    config.clickhouse.port,
    at.chosen.has('clickhouse'),
    'BAC_CLICKHOUSE_PORT',
  );
  reporter.progress('ClickHouse', 'starting');
  let port = claimed.port;
  const server = await run<EmbeddedClickHouse>('clickhouse', async () => {
    const launched = await startEmbeddedClickHouse({
      dir: folder.clickhouse,
      port,
      user: config.clickhouse.user,
      password,
      readonlyUser: READER,
      readonlyPassword: folder.secret('clickhouse-reader'),
      sessions: config.clickhouse.sessions,
      log: at.logger,
    });
    port = launched.port;
    return launched;
  });
  reporter.done(
    'ClickHouse',
    `ready on 127.0.0.1:${server.port} (${seconds(started)})${movedNote(claimed.moved, config.clickhouse.port)}`,
  );
  return { url: server.url, password };
}

/** The key that commands on this machine use: made once, kept in the state folder. */
async function ensureOwnerKey(pool: pg.Pool, folder: StateFolder): Promise<void> {
  const { existsSync, readFileSync, writeFileSync } = await import('node:fs');
  if (existsSync(folder.keyFile)) {
    const id = readFileSync(folder.keyFile, 'utf8').trim().split('.')[0];
    const { rowCount } = await pool.query('SELECT 1 FROM bac.api_keys WHERE id = $1 AND revoked_at IS NULL', [
      id,
    ]);
    if (rowCount === 1) return;
  }
  const key = await createApiKey(pool, {
    tenant: null,
    user: 'owner',
    roles: ['owner'],
    attributes: {},
    scopes: ['read', 'write', 'admin'],
  });
  writeFileSync(folder.keyFile, `${key}\n`, { mode: 0o600 });
}

const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;
const movedNote = (moved: boolean, wanted: number): string => (moved ? `; ${wanted} was taken` : '');
