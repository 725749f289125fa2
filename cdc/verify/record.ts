import type { Pool } from 'pg';
import type { TableId } from '#kernel';
import type { TableReport } from './report.ts';

/** What is kept of a comparison. `failed`: it broke off. */
export type Outcome = Pick<
  TableReport,
  'sourceRows' | 'warehouseRows' | 'differences' | 'repaired' | 'reason' | 'seconds'
> & { readonly state: TableReport['state'] | 'failed' };

/** Keeps the table's last result in `bac.verifications`. `startedAt`: ms since 1970. */
export async function recordVerification(
  pool: Pool,
  id: TableId,
  startedAt: number,
  outcome: Outcome,
): Promise<void> {
  const { state, seconds, sourceRows, warehouseRows, differences, repaired, reason } = outcome;
  await pool.query(
    `INSERT INTO bac.verifications AS v (source, schema_name, table_name, started_at, seconds, state,
       source_rows, warehouse_rows, differences, repaired, reason, compared_at)
     VALUES ($1, $2, $3, to_timestamp($4), $5, $6, $7, $8, $9, $10, $11,
       CASE WHEN $6 IN ('ok', 'different', 'repaired') THEN to_timestamp($4) END)
     ON CONFLICT (source, schema_name, table_name) DO UPDATE SET started_at = excluded.started_at,
       seconds = excluded.seconds, state = excluded.state, source_rows = excluded.source_rows,
       warehouse_rows = excluded.warehouse_rows, differences = excluded.differences,
       repaired = excluded.repaired, reason = excluded.reason,
       compared_at = coalesce(excluded.compared_at, v.compared_at)`,
    [
      ...[id.source, id.schema, id.table],
      startedAt / 1000,
      seconds,
      state,
      ...[sourceRows, warehouseRows, differences, repaired],
      reason ?? null,
    ],
  );
}
