import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { type AppRegistry, createAppRegistry } from '#apps';
import type { ChangeLog, Logger } from '#kernel';
import { captureSchemas, OPERATIONAL_SOURCE } from './source.ts';

const SETTLE_MS = 5_000;
const LOOK_AGAIN_MS = 100;

export interface HubRegistryOptions {
  readonly pool: Pool;
  readonly log: ChangeLog;
  readonly logger: Logger;
  readonly postgresUrl: string;
}

/** The registry of apps with this hub's log, source and processes. */
export const openRegistry = ({ pool, log, logger, postgresUrl }: HubRegistryOptions): AppRegistry =>
  createAppRegistry({
    pool,
    log,
    logger,
    source: OPERATIONAL_SOURCE,
    capture: (schemas) => captureSchemas(pool, log, postgresUrl, schemas),
    settled: (revision) => untilInForce(pool, revision),
  });

/** Waits, for some seconds at most, until every process that speaks of apps has this revision. */
async function untilInForce(pool: Pool, revision: string): Promise<void> {
  const until = performance.now() + SETTLE_MS;
  while (performance.now() < until) {
    const { rowCount } = await pool.query(
      `SELECT 1 FROM bac.role_stats WHERE updated_at > now() - interval '3 seconds'
         AND data ? 'appsRevision' AND (data->>'appsRevision')::bigint < $1`,
      [revision],
    );
    if (rowCount === 0) return;
    await sleep(LOOK_AGAIN_MS);
  }
}
