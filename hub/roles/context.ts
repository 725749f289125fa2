import pg from 'pg';
import { createWarehouse } from '#clickhouse';
import {
  type ChangeLog,
  createLogger,
  createRegistry,
  type Logger,
  type Registry,
  type Warehouse,
} from '#kernel';
import { openLog } from '#stream';
import type { Figure } from './figures.ts';
import type { RoleSettings } from './settings.ts';

/** What every role stands on: opened once per process, closed last. */
export interface RoleContext {
  readonly settings: RoleSettings;
  readonly pool: pg.Pool;
  readonly registry: Registry;
  readonly log: ChangeLog;
  readonly warehouse: Warehouse;
  readonly logger: Logger;
  close(): Promise<void>;
}

export async function openContext(role: string, settings: RoleSettings): Promise<RoleContext> {
  const logger = createLogger({ role, level: settings.config.logLevel });
  const pool = new pg.Pool({
    connectionString: settings.postgresUrl,
    max: 6,
    application_name: `bac ${role}`,
  });
  pool.on('error', (error) => logger.warn({ error: error.message }, 'state connection lost'));
  const log = await openLog({ config: settings.config.log, dir: settings.logDir, log: logger });
  const warehouse = createWarehouse({ ...settings.clickhouse, log: logger });
  return {
    settings,
    pool,
    registry: createRegistry(pool),
    log,
    warehouse,
    logger,
    async close() {
      await log.close();
      await warehouse.close();
      await pool.end();
    },
  };
}

/** A running role: what the process entry drives. */
export interface Role {
  /** Reported to the supervisor once ready, e.g. the port. */
  readonly facts?: Readonly<Record<string, unknown>>;
  /** Figures for `bac status`, sampled every second. */
  stats(): unknown;
  /** Figures for the process's own `/metrics`. */
  figures?(): readonly Figure[];
  stop(): Promise<void>;
}
