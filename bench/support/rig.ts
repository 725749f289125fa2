import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import pg from 'pg';
import { startEmbeddedPostgres } from '#apps';
import { createWarehouse, startEmbeddedClickHouse } from '#clickhouse';
import { type RoleName, type RoleProcess, startRole } from '#hub';
import { type ChangeLog, type Config, loadConfig, migrateState, silentLogger, type Warehouse } from '#kernel';
import { openLog } from '#stream';

/** The parts of a hub in processes of their own, as `bac up` starts them, under a benchmark's control. */
export interface Rig extends AsyncDisposable {
  readonly dir: string;
  /** The company's model folder: empty. */
  readonly modelDir: string;
  readonly url: string;
  readonly pool: pg.Pool;
  readonly warehouse: Warehouse;
  readonly log: ChangeLog;
  readonly config: Config;
  readonly pids: { readonly postgres: number; readonly clickhouse: number };
  start(role: RoleName): Promise<RoleProcess>;
}

/** `kafka`: brokers that carry the log; none = the embedded log. `connectUrl`: Kafka Connect, for Debezium. */
export async function openRig(
  settings: Readonly<Record<string, string>> = {},
  kafka: readonly string[] = [],
  connectUrl: string | null = null,
): Promise<Rig> {
  const dir = mkdtempSync(join(tmpdir(), 'bac-bench-'));
  chmodSync(dir, 0o755);
  const logger = silentLogger();
  const postgres = await startEmbeddedPostgres({
    dir: join(dir, 'postgres'),
    port: 0,
    log: logger,
    settings,
  });
  const password = 'bench';
  const clickhouse = await startEmbeddedClickHouse({
    dir: join(dir, 'clickhouse'),
    port: 0,
    user: 'bac',
    password,
    sessions: 8,
    log: logger,
  });
  const pool = new pg.Pool({ connectionString: postgres.url, max: 4 });
  pool.on('error', () => {}); // the rig is being torn down
  await migrateState(pool);
  const warehouse = createWarehouse({ url: clickhouse.url, user: 'bac', password, log: logger });
  const modelDir = join(dir, 'model');
  mkdirSync(modelDir);
  const env = {
    BAC_LOG_LEVEL: process.env.BAC_LOG_LEVEL ?? 'warn',
    BAC_HTTP_PORT: '0',
    BAC_SQL_PORT: '0',
    BAC_SEMANTIC_MODEL_DIR: modelDir,
  };
  const config = loadConfig({
    cwd: dir,
    env: {
      ...env,
      ...(kafka.length === 0 ? {} : { BAC_KAFKA_BROKERS: kafka.join(',') }),
      ...(connectUrl === null ? {} : { BAC_CONNECT_URL: connectUrl }),
    },
  });
  const log = await openLog({ config: config.log, dir: join(dir, 'log'), log: logger });
  const roles: RoleProcess[] = [];
  const logs = new Writable({
    write(chunk: Buffer, _encoding, done) {
      process.stderr.write(chunk, done);
    },
  });
  return {
    dir,
    modelDir,
    url: postgres.url,
    pool,
    warehouse,
    log,
    config,
    pids: { postgres: postgres.pid, clickhouse: clickhouse.pid },
    async start(role) {
      const started = await startRole(
        role,
        {
          version: 'bench',
          config,
          postgresUrl: postgres.url,
          clickhouse: { url: clickhouse.url, user: 'bac', password },
          logDir: join(dir, 'log'),
          logIdentity: 'bench',
          sessionSecret: null,
          sealSecrets: [],
          stateRoot: dir,
          instance: `${role}-${roles.length}`,
          demo: false,
        },
        logs,
      );
      roles.push(started);
      return started;
    },
    async [Symbol.asyncDispose]() {
      for (const role of roles) await role.stop();
      await log.close();
      await warehouse.close();
      await pool.end();
      await clickhouse.stop();
      await postgres.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Highest resident memory of a process so far, in MiB (Linux; null elsewhere). */
export function peakMemoryMiB(pid: number): number | null {
  try {
    const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return line ? Math.round(Number(line[1]) / 1024) : null;
  } catch {
    return null;
  }
}
