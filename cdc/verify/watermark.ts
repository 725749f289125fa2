import { setTimeout as delay } from 'node:timers/promises';
import type { Pool, PoolClient } from 'pg';
import { type Appended, type ChangeLog, SINK_GROUP, type TableId } from '#kernel';
import type { SourceProfile } from '../catalog/index.ts';
import { parseLsn } from '../pgoutput/index.ts';

/** A moment of the source: its write position, or its clock where it has no position to ask for. */
export type Moment = { readonly lsn: number } | { readonly clock: Date };

/** No event tells of the watermark, which another process writes. */
const POLL_MS = 50;

export async function momentNow(client: PoolClient, profile: SourceProfile): Promise<Moment> {
  if (profile.currentPosition !== null) {
    const { rows } = await client.query<{ lsn: string }>(profile.currentPosition);
    return { lsn: parseLsn(rows[0]!.lsn) };
  }
  const { rows } = await client.query<{ clock: Date }>('SELECT clock_timestamp() AS clock');
  return { clock: rows[0]!.clock };
}

/** How far the table is complete in the warehouse; null = nothing is known yet. */
export async function watermarkOf(pool: Pool, id: TableId): Promise<{ lsn: number; clock: Date } | null> {
  const { rows } = await pool.query<{ lsn: string | null; clock: Date }>(
    `SELECT min(lsn) AS lsn, min(committed_at) AS clock FROM bac.watermarks
     WHERE source = $1 AND schema_name = $2 AND table_name = $3`,
    [id.source, id.schema, id.table],
  );
  const { lsn, clock } = rows[0]!;
  return lsn === null ? null : { lsn: Number(lsn), clock };
}

/** Resolves true once the warehouse has all that was committed at the source by `moment`, false after `timeoutMs`. */
export async function awaitWatermark(
  pool: Pool,
  id: TableId,
  moment: Moment,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const mark = await watermarkOf(pool, id);
    if (mark && ('lsn' in moment ? mark.lsn >= moment.lsn : mark.clock >= moment.clock)) return true;
    if (performance.now() >= end) return false;
    await delay(POLL_MS, undefined, { signal });
  }
}

/**
 * Resolves true once the warehouse has what was appended, false after `timeoutMs`. The watermark does not tell: it is
 * of the source, and where nothing is written there it may be past every moment that is asked for already.
 */
export async function awaitApplied(
  log: ChangeLog,
  appended: readonly Appended[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const parts = await log.lag(SINK_GROUP);
    const isIn = (at: Appended): boolean =>
      parts.some(
        ({ topic, partition, committed }) =>
          topic === at.topic && partition === at.partition && committed >= at.end,
      );
    if (appended.every(isIn)) return true;
    if (performance.now() >= end) return false;
    await delay(POLL_MS, undefined, { signal });
  }
}
