import type { Pool } from 'pg';
import { addSource, captureAlso } from '#cdc';
import { type ChangeLog, toHubError } from '#kernel';
import { ensureProbeTable } from '../doctor/index.ts';

/** Name of the source that captures the hub's own operational database, and of its database in the warehouse. */
export const OPERATIONAL_SOURCE = 'business';

/** Has these schemas of the operational database captured; the first time makes the source. Idempotent. */
export async function captureSchemas(
  pool: Pool,
  log: ChangeLog,
  postgresUrl: string,
  schemas: readonly string[],
): Promise<void> {
  const patterns = schemas.map((schema) => `${schema}.*`);
  const { rowCount } = await pool.query('SELECT 1 FROM bac.sources WHERE name = $1', [OPERATIONAL_SOURCE]);
  if (rowCount === 0) {
    await ensureProbeTable(pool);
    const { rows } = await pool.query<{ version: string }>('SELECT version() AS version');
    const kind = rows[0]!.version.includes('-YB-') ? 'yugabytedb' : 'postgres';
    const tables = [...patterns, 'bac_probe.probe'];
    try {
      await addSource(pool, log, { name: OPERATIONAL_SOURCE, kind, url: postgresUrl, tables });
      return;
    } catch (thrown) {
      if (toHubError(thrown).code !== 'SOURCE_EXISTS') throw thrown; // made by another process meanwhile
    }
  }
  await captureAlso(pool, log, OPERATIONAL_SOURCE, patterns);
}

/** The embedded server may listen elsewhere than last time. */
export async function followServer(pool: Pool, postgresUrl: string): Promise<void> {
  await pool.query('UPDATE bac.sources SET url = $2 WHERE name = $1 AND url <> $2', [
    OPERATIONAL_SOURCE,
    postgresUrl,
  ]);
}
