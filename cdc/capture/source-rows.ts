import type { Pool } from 'pg';
import { z } from 'zod';
import { type HubError, userError } from '#kernel';
import { debeziumSchema } from '../debezium/options.ts';
import type { SourceRow, SourceState } from './types.ts';

const rowSchema = z.object({
  name: z.string(),
  kind: z.enum(['postgres', 'yugabytedb']),
  url: z.string().min(1),
  options: z.object({
    engine: z.enum(['native', 'debezium']).optional(),
    debezium: debeziumSchema.optional(),
    tables: z.array(z.string()).optional(),
    resnapshot: z.array(z.string()).optional(),
    keepTables: z.boolean().optional(),
    verify: z.object({ everyHours: z.number().optional(), repair: z.boolean().optional() }).optional(),
  }),
  desired: z.enum(['running', 'paused', 'removing']),
  slot: z.string().nullable(),
});

const SELECT = 'SELECT name, kind, url, options, desired, slot FROM bac.sources';

/** A source as the operator wants it; null = there is none. Errors: SOURCE_INVALID (user). */
export async function readSource(pool: Pool, name: string): Promise<SourceRow | null> {
  const { rows } = await pool.query(`${SELECT} WHERE name = $1`, [name]);
  if (rows.length === 0) return null;
  const parsed = rowSchema.safeParse(rows[0]);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw userError(
    'SOURCE_INVALID',
    `Source "${name}": ${issue.path.join('.')}: ${issue.message}.`,
    'Remove the source and add it again.',
  );
}

export async function sourceNames(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>('SELECT name FROM bac.sources ORDER BY name');
  return rows.map(({ name }) => name);
}

/** A slot is about to be made: until `finishSlot` every table begins anew, also after a crash in between. */
export async function beginSlot(pool: Pool, name: string): Promise<void> {
  await pool.query('UPDATE bac.sources SET slot = NULL, epoch = epoch + 1 WHERE name = $1', [name]);
}

export async function finishSlot(pool: Pool, name: string, slot: string): Promise<void> {
  await pool.query('UPDATE bac.sources SET slot = $2 WHERE name = $1', [name, slot]);
}

/** The new snapshots asked for have begun. What was asked for since then stays. */
export async function clearResnapshot(pool: Pool, name: string, begun: readonly string[]): Promise<void> {
  await pool.query(
    `UPDATE bac.sources SET options = CASE WHEN options->'resnapshot' = $2::jsonb THEN options - 'resnapshot'
       ELSE options END WHERE name = $1`,
    [name, JSON.stringify(begun)],
  );
}

export async function reportSource(
  pool: Pool,
  name: string,
  report: {
    readonly state: Exclude<SourceState, 'standby'>;
    readonly error: ReturnType<HubError['toJSON']> | null;
    readonly confirmedLsn: number;
    readonly committedAt: number;
    readonly stats: object;
  },
): Promise<void> {
  await pool.query(
    `UPDATE bac.sources SET state = $2, error = $3, confirmed_lsn = GREATEST(confirmed_lsn, $4::bigint),
       committed_at = GREATEST(committed_at, to_timestamp(NULLIF($5::float8, 0))), stats = $6, updated_at = now()
     WHERE name = $1`,
    [
      name,
      report.state,
      report.error === null ? null : JSON.stringify(report.error),
      report.confirmedLsn,
      report.committedAt / 1_000_000,
      JSON.stringify(report.stats),
    ],
  );
}
