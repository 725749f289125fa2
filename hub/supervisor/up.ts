import { Writable } from 'node:stream';
import pg from 'pg';
import { createWarehouse, migrateWarehouse } from '#clickhouse';
import {
  type ChosenPorts,
  type Config,
  createLogger,
  type Logger,
  migrateState,
  toHubError,
  usesKafka,
} from '#kernel';
import { followServer } from '../apps/index.ts';
import type { RoleName, RoleSettings } from '../roles/index.ts';
import { openStateFolder, type StateFolder } from '../state/index.ts';
import { prepareDemo, waitForSnapshot } from './demo.ts';
import { findLog, type Run, startClickHouse, startPostgres, startsEngines } from './engines.ts';
import { serveHealth } from './health.ts';
import { claimLog, forgetStaleInstances, instanceName } from './identity.ts';
import { prepareKeys } from './keys.ts';
import { claimPort } from './ports.ts';
import { movedNote, type Reporter, seconds } from './reporter.ts';
import { type RoleProcess, type RoleUnit, startRole } from './role-process.ts';
import { rotatingLog } from './rotating-log.ts';
import { type Running, supervise, type Unit } from './unit.ts';
import { orAborted } from './wait.ts';

export interface UpOptions {
  readonly config: Config;
  readonly chosen: ChosenPorts;
  readonly version: string;
  readonly roles: readonly RoleName[];
  readonly demo: boolean;
  /** How the start is told; gets the process's logger. */
  readonly reporter: (logger: Logger) => Reporter;
  /** Aborts a start that is under way. */
  readonly signal: AbortSignal;
}

export interface Hub {
  readonly addresses: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Closes what is not a unit, e.g. a listener. */
type Closer = () => Promise<void>;

/**
 * Starts this process's part of the hub in dependency order and keeps it running: engines that are
 * not given by URL, then roles, then the demo business. Resolves when the addresses answer and the
 * demo is flowing. On failure, or when the signal aborts, whatever had started is stopped again.
 *
 * A process that starts engines or serves the api holds its state folder alone. One that has only
 * other roles shares it, and needs none where the log is not in it.
 */
export async function up(options: UpOptions): Promise<Hub> {
  const { config } = options;
  const folder = openFolder(config);
  const alone = startsEngines(config) || options.roles.includes('api');
  if (alone) folder?.claim(options.version);
  const instance = instanceName(config, folder, alone);
  const logs =
    config.logTo === 'stdout' || !folder
      ? standardOutput()
      : rotatingLog(folder.logs, alone ? 'hub.log' : `hub-${instance}.log`);
  const logger = createLogger({ role: 'supervisor', level: config.logLevel, destination: logs });
  const reporter = options.reporter(logger);
  const engines: Unit<Running>[] = [];
  const roles: RoleUnit[] = [];
  const closers: Closer[] = [];
  const stop = async (): Promise<void> => {
    // Roles first, and all at once, engines last: every role can still finish what it holds.
    await Promise.all(roles.map(({ unit }) => unit.stop()));
    for (const unit of engines.toReversed()) await unit.stop();
    for (const close of closers) await close();
    folder?.release();
    await new Promise<void>((resolve) => logs.end(resolve));
  };
  try {
    const addresses = await startAll({
      ...options,
      instance,
      folder,
      reporter,
      logs,
      logger,
      engines,
      roleUnits: roles,
      closers,
    });
    return { addresses, stop };
  } catch (error) {
    if (config.logTo === 'stdout' && !options.signal.aborted) logger.fatal({ err: error }, 'could not start');
    await stop();
    throw error;
  }
}

interface Starting extends Omit<UpOptions, 'reporter'> {
  readonly instance: string;
  readonly folder: StateFolder | null;
  readonly reporter: Reporter;
  readonly logs: Writable;
  readonly logger: Logger;
  readonly engines: Unit<Running>[];
  readonly roleUnits: RoleUnit[];
  readonly closers: Closer[];
}

async function startAll(at: Starting): Promise<Record<string, string>> {
  const { config, folder, logger, engines, roleUnits, signal } = at;
  const addresses: Record<string, string> = {};
  const logDir = folder?.log ?? ''; // without a folder the log is elsewhere
  const publish = (): void => {
    const processes = [...engines, ...roleUnits.map(({ unit }) => unit)]
      .map((unit) => unit.status())
      .filter((status) => status.pid !== null);
    folder?.publish({
      addresses,
      processes: Object.fromEntries(processes.map(({ name, pid }) => [name, pid!])),
    });
  };
  const begin = <R extends Running>(unit: Unit<R>): Promise<R> => {
    signal.throwIfAborted();
    return orAborted(unit.start(), signal);
  };
  const run: Run = (name, launch) => {
    const unit = supervise(name, launch, logger, publish);
    engines.push(unit as Unit<Running>);
    return begin(unit);
  };
  const http = await httpPort(at);
  const sql = await sqlPort(at);
  let started = false;
  if (!at.roles.includes('api')) addresses.health = await startHealth(at, () => started);

  const postgresUrl = await startPostgres(at, run);
  addresses.postgres = new URL(postgresUrl).host;
  const pool = new pg.Pool({ connectionString: postgresUrl, max: 4, application_name: 'bac up' });
  pool.on('error', (error) => logger.warn({ error: error.message }, 'state connection lost'));
  try {
    await orAborted(migrateState(pool), signal);
    await forgetStaleInstances(pool);
    if (config.postgres.url === undefined) await followServer(pool, postgresUrl);
    const clickhouse = await startClickHouse(at, run);
    addresses.clickhouse = clickhouse.url;
    const { user, cluster } = config.clickhouse;
    const warehouse = createWarehouse({ ...clickhouse, user, cluster, log: logger });
    await orAborted(migrateWarehouse(warehouse), signal).finally(() => warehouse.close());
    const { sessionSecret, sealSecrets } = at.roles.includes('api')
      ? await prepareKeys(pool, folder, logger)
      : { sessionSecret: null, sealSecrets: [] };
    const identity = await findLog(at);
    await claimLog(pool, identity, signal);
    const settings: RoleSettings = {
      version: at.version,
      config: {
        ...config,
        http: { ...config.http, port: http.port },
        sql: { ...config.sql, port: sql.port },
      },
      postgresUrl,
      clickhouse: { url: clickhouse.url, user, password: clickhouse.password, cluster },
      logDir,
      logIdentity: identity,
      stateRoot: config.stateDir,
      sessionSecret,
      sealSecrets,
      instance: at.instance,
      demo: at.demo,
    };
    const startRoleUnit = (name: RoleName): Promise<RoleProcess> => {
      const unit = supervise(name, (stopped) => startRole(name, settings, at.logs, stopped), logger, publish);
      roleUnits.push({ name, unit });
      return begin(unit);
    };
    for (const name of at.roles.filter((role) => role !== 'worker')) {
      const since = performance.now();
      const role = await startRoleUnit(name);
      if (name === 'api') addresses.http = addressOf(config.http.host, Number(role.facts.port ?? http.port));
      if (name === 'api' && role.facts.sqlPort !== undefined)
        addresses.sql = `${config.sql.host}:${role.facts.sqlPort}`;
      at.reporter.done(
        name,
        `ready (${seconds(since)})${name === 'api' ? movedNote(http.moved, config.http.port) : ''}`,
      );
    }
    publish();
    if (at.demo) await prepareDemo({ ...at, pool, postgresUrl, logDir });
    if (at.roles.includes('worker')) await startRoleUnit('worker');
    if (at.demo && at.roles.includes('capture') && at.roles.includes('sink'))
      await waitForSnapshot(pool, at.reporter, signal);
    started = true;
    publish();
  } finally {
    await pool.end();
  }
  return addresses;
}

/** The state folder; null where nothing has to be in it and it cannot be written. */
function openFolder(config: Config): StateFolder | null {
  if (startsEngines(config) || !usesKafka(config.log)) return openStateFolder(config.stateDir);
  try {
    return openStateFolder(config.stateDir);
  } catch (error) {
    if (toHubError(error).code === 'STATE_DIR_UNWRITABLE') return null;
    throw error;
  }
}

/** The web page's port; only the api listens on it. */
async function httpPort(at: Starting): Promise<{ port: number; moved: boolean }> {
  const { http } = at.config;
  if (!at.roles.includes('api')) return { port: http.port, moved: false };
  return claimPort('the web page and API', http.port, at.chosen.has('http'), 'BAC_HTTP_PORT', http.host);
}

async function sqlPort(at: Starting): Promise<{ port: number; moved: boolean }> {
  const { sql } = at.config;
  if (!at.roles.includes('api')) return { port: sql.port, moved: false };
  return claimPort('the SQL API', sql.port, at.chosen.has('sql'), 'BAC_SQL_PORT', sql.host);
}

async function startHealth(at: Starting, started: () => boolean): Promise<string> {
  const { host, port: wanted } = at.config.health;
  const { port } = await claimPort('health', wanted, at.chosen.has('health'), 'BAC_HEALTH_PORT', host);
  const server = await serveHealth({
    host,
    port,
    version: at.version,
    roles: () => at.roleUnits,
    started,
    logger: at.logger,
  });
  at.closers.push(() => server.close());
  const address = addressOf(host, server.port);
  at.reporter.done('health', address);
  return address;
}

/** As this machine reaches it: a wildcard is no address to go to. */
function addressOf(host: string, port: number): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/** Standard output that can be ended without closing it. */
const standardOutput = (): Writable =>
  new Writable({ write: (chunk: Buffer, _encoding, done) => void process.stdout.write(chunk, done) });
