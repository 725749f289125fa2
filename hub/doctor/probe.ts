import type { Pool } from 'pg';
import { ignoreLostRace, type Registry, type TableEntry } from '#kernel';

export const PROBE_SCHEMA = 'bac_probe';
export const PROBE_TABLE = 'probe';

/** Makes the table the doctor writes into; safe to call again and from several processes. */
export async function ensureProbeTable(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ there: boolean }>(
    "SELECT to_regclass('bac_probe.probe') IS NOT NULL AS there",
  );
  if (rows[0]?.there) return;
  await pool.query('CREATE SCHEMA IF NOT EXISTS bac_probe').catch(ignoreLostRace);
  await pool
    .query(
      'CREATE TABLE IF NOT EXISTS bac_probe.probe (id text PRIMARY KEY, written_at timestamptz NOT NULL DEFAULT now())',
    )
    .catch(ignoreLostRace);
}

/** Writes one row in a transaction of its own; older probes go with it, so the table stays small. */
export async function writeProbe(pool: Pool, id: string): Promise<void> {
  await pool.query('INSERT INTO bac_probe.probe (id) VALUES ($1)', [id]);
}

export async function forgetOldProbes(pool: Pool): Promise<void> {
  await pool.query("DELETE FROM bac_probe.probe WHERE written_at < now() - interval '1 hour'");
}

/** The probe table as some source captures it, or null. */
export async function capturedProbe(registry: Registry): Promise<TableEntry | null> {
  const entries = await registry.tables();
  const probes = entries.filter((entry) => entry.schema === PROBE_SCHEMA && entry.table === PROBE_TABLE);
  return probes.find((entry) => entry.state === 'streaming') ?? probes[0] ?? null;
}
