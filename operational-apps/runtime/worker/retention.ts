import type { Pool } from 'pg';
import { LOOK_BACK_DAYS } from './due.ts';

/** Days that what is over is kept. */
export interface Retention {
  readonly notificationsDays: number;
  /** Webhooks, and runs of automations. */
  readonly deliveriesDays: number;
}

const BATCH = 5_000;
const MOST_BATCHES = 100;

/** Old notifications that the user has read; those of a role, of which nobody can tell who has yet to read them. */
const NOTIFICATIONS = `DELETE FROM bac.notifications WHERE id IN (
  SELECT n.id FROM bac.notifications n
  LEFT JOIN bac.notifications_seen s ON s.tenant_id = n.tenant_id AND s.user_id = n.user_id
  WHERE n.created_at < now() - $1 * interval '1 day' AND (n.user_id IS NULL OR n.id <= s.up_to)
  ORDER BY n.id LIMIT ${BATCH})`;

/** Webhooks that wait are never taken away. */
const DELIVERIES = `DELETE FROM bac.outbox WHERE id IN (
  SELECT id FROM bac.outbox
  WHERE state IN ('sent', 'dead') AND coalesce(sent_at, next_at) < now() - $1 * interval '1 day'
  ORDER BY id LIMIT ${BATCH})`;

/**
 * A run that is not noted would be done again if its time could still be found due; dates may be a day off. Found
 * without an index, where rows were first written first: some thousand cost no whole pass.
 */
const RUNS = `DELETE FROM bac.automation_runs WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM bac.automation_runs
  WHERE greatest(due_at, ran_at) < now() - greatest($1::int, ${LOOK_BACK_DAYS + 2}) * interval '1 day' LIMIT ${BATCH}))`;

/**
 * Takes away what is older than `retention`, some thousand rows at a time; what is beyond half a million is left to
 * the next call. As the owner of the hub's state; idempotent, and any number may run at once.
 */
export async function pruneOld(
  pool: Pool,
  retention: Retention,
): Promise<{ notifications: number; deliveries: number; runs: number }> {
  return {
    notifications: await inBatches(pool, NOTIFICATIONS, retention.notificationsDays),
    deliveries: await inBatches(pool, DELIVERIES, retention.deliveriesDays),
    runs: await inBatches(pool, RUNS, retention.deliveriesDays),
  };
}

async function inBatches(pool: Pool, statement: string, days: number): Promise<number> {
  let total = 0;
  for (let batch = 0; batch < MOST_BATCHES; batch += 1) {
    const { rowCount } = await pool.query(statement, [days]);
    total += rowCount ?? 0;
    if ((rowCount ?? 0) < BATCH) break;
  }
  return total;
}
