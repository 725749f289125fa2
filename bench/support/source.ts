import { addSource, pauseSource, resumeSource } from '#cdc';
import type { Rig } from './rig.ts';
import { eventually } from './wait.ts';

export type Engine = 'native' | 'debezium';

/** Adds the rig's own database as source `bench` and waits until `tables` tables stream. */
export async function captureBench(rig: Rig, tables: number, engine: Engine = 'native'): Promise<void> {
  const source = { name: 'bench', kind: 'postgres', url: rig.url, tables: ['bench.*'], engine } as const;
  await addSource(rig.pool, rig.log, source, { connect: rig.config.connect, log: 'kafka' });
  await eventually(async () => {
    const { rows } = await rig.pool.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM bac.tables WHERE source = 'bench' AND state = 'streaming'",
    );
    return rows[0]!.n >= tables;
  });
}

/** Pauses or resumes it; resolves when capture has. */
export async function setPaused(rig: Rig, paused: boolean): Promise<void> {
  await (paused ? pauseSource : resumeSource)(rig.pool, rig.log, 'bench');
  if (!paused) return;
  await eventually(async () => {
    const { rows } = await rig.pool.query<{ state: string }>(
      "SELECT state FROM bac.sources WHERE name = 'bench'",
    );
    return rows[0]?.state === 'paused';
  });
}

export async function currentLsn(rig: Rig): Promise<bigint> {
  const { rows } = await rig.pool.query<{ lsn: string }>(
    "SELECT (pg_current_wal_lsn() - '0/0')::text AS lsn",
  );
  return BigInt(rows[0]!.lsn);
}

/** Resolves when every captured table is complete in the warehouse up to `lsn`. */
export async function waitForWatermark(rig: Rig, lsn: bigint): Promise<void> {
  await eventually(async () => {
    const { rows } = await rig.pool.query<{ ok: boolean }>(
      // A table without a watermark has none yet, and is not complete.
      `SELECT count(*) > 0 AND bool_and(coalesce(w.lsn >= $1, false)) AS ok
       FROM bac.tables t LEFT JOIN bac.watermarks w USING (source, schema_name, table_name)
       WHERE t.source = 'bench'`,
      [lsn.toString()],
    );
    return rows[0]!.ok;
  });
}
