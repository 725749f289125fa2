import type { Pool } from 'pg';
import { z } from 'zod';
import { type AppSummary, appSummaries } from '../apps/summaries.ts';
import type { Problem, Verification } from './types.ts';

const problem = z
  .object({ code: z.string(), message: z.string(), next: z.string().optional() })
  .nullable()
  .catch(null);
const stats = z
  .looseObject({
    lagBytes: z.number().nullish(),
    retainedBytes: z.number().nullish(),
    alarm: z.enum(['none', 'warn', 'alarm']).optional(),
  })
  .catch({});

/** What a role writes into `bac.role_stats.data`. All of it is optional; more is allowed. */
const roleStatsSchema = z.looseObject({
  state: z.string().optional(),
  pid: z.number().optional(),
  rssBytes: z.number().optional(),
  /** 1 = one core. */
  cpuCores: z.number().optional(),
  restarts: z.number().optional(),
  semantic: z
    .object({
      kept: z.array(
        z.object({
          name: z.string(),
          state: z.string(),
          error: z.string().nullable(),
          lastMs: z.number().nullable(),
        }),
      ),
      models: z.array(z.object({ state: z.string(), error: z.string().nullable() })).catch([]),
      folder: z
        .object({
          folder: z.string(),
          state: z.string(),
          files: z.number(),
          since: z.string().nullable(),
          problems: z.array(z.object({ message: z.string(), next: z.string() })),
        })
        .nullable()
        .catch(null),
    })
    .optional()
    .catch(undefined),
});
type RoleStats = z.infer<typeof roleStatsSchema>;

export interface SourceRow {
  name: string;
  kind: string;
  /** native or debezium. */
  engine: string;
  url: string;
  desired: string;
  state: string;
  error: Problem | null;
  slot: string | null;
  confirmedLsn: string | null;
  committedAt: Date | null;
  /** How far reading is behind, else the WAL kept at the source. */
  lagBytes: number | null;
  /** Capture's own judgement, which knows of slots the server is about to give up. */
  alarm: 'none' | 'warn' | 'alarm' | null;
}

export interface TableRow {
  source: string;
  schema: string;
  table: string;
  topic: string;
  state: string;
  generation: number;
  version: number;
  snapshotRows: number;
  estimatedRows: number;
  error: Problem | null;
  /** Smallest watermark over the table's partitions. */
  watermark: Date | null;
  deadLetters: number;
  verification: Verification | null;
}

export interface RoleRow {
  role: string;
  instance: string;
  data: RoleStats;
  ageMs: number;
}

export interface StateRows {
  readonly sources: SourceRow[];
  readonly tables: TableRow[];
  readonly roles: RoleRow[];
  readonly apps: readonly AppSummary[];
}

const SOURCES = `SELECT name, kind, coalesce(options->>'engine', 'native') AS engine, url, desired, state, error, slot, confirmed_lsn::text AS "confirmedLsn",
  committed_at AS "committedAt", stats FROM bac.sources ORDER BY name`;

const TABLES = `SELECT t.source, t.schema_name AS schema, t.table_name AS "table", t.topic, t.state, t.generation,
  t.version, t.snapshot_rows::float8 AS "snapshotRows", t.estimated_rows::float8 AS "estimatedRows", t.error,
  w.committed_at AS watermark, coalesce(d.count, 0)::int AS "deadLetters",
  CASE WHEN v.state IS NOT NULL THEN jsonb_build_object('at', v.started_at, 'comparedAt', v.compared_at, 'state', v.state,
    'differences', v.differences, 'repaired', v.repaired, 'reason', v.reason) END AS verification
  FROM bac.tables t
  LEFT JOIN (SELECT source, schema_name, table_name, nullif(min(committed_at), timestamptz 'epoch') AS committed_at
    FROM bac.watermarks GROUP BY 1, 2, 3) w USING (source, schema_name, table_name)
  LEFT JOIN (SELECT source, schema_name, table_name, count(*) AS count
    FROM bac.dead_letters WHERE state = 'open' GROUP BY 1, 2, 3) d USING (source, schema_name, table_name)
  LEFT JOIN bac.verifications v USING (source, schema_name, table_name)
  ORDER BY t.source, t.schema_name, t.table_name`;

const ROLES = `SELECT role, instance, data, (extract(epoch FROM now() - updated_at) * 1000)::float8 AS "ageMs"
  FROM bac.role_stats WHERE updated_at > now() - interval '1 hour' ORDER BY role, instance`;

/** One round of reads of schema `bac`: four statements whatever the number of tables. */
export async function readState(pool: Pool): Promise<StateRows> {
  const [sources, tables, roles, apps] = await Promise.all([
    pool.query<SourceRow & { stats: unknown }>(SOURCES),
    pool.query<TableRow>(TABLES),
    pool.query<{ role: string; instance: string; data: unknown; ageMs: number }>(ROLES),
    appSummaries(pool),
  ]);
  return {
    sources: sources.rows.map(({ stats: raw, ...row }) => {
      const { lagBytes, retainedBytes, alarm } = stats.parse(raw);
      return {
        ...row,
        url: hidePassword(row.url),
        error: problem.parse(row.error),
        lagBytes: lagBytes ?? retainedBytes ?? null,
        alarm: alarm ?? null,
      };
    }),
    tables: tables.rows.map((row) => ({ ...row, error: problem.parse(row.error) })),
    roles: roles.rows.map((row) => ({ ...row, data: roleStatsSchema.catch({}).parse(row.data) })),
    apps,
  };
}

/** The connection string without its password, wherever it stands; unreadable ones are hidden whole. */
export function hidePassword(url: string): string {
  if (!URL.canParse(url)) return '[hidden]';
  const parsed = new URL(url);
  if (parsed.password) parsed.password = '***';
  for (const name of ['password', 'sslpassword']) {
    if (parsed.searchParams.has(name)) parsed.searchParams.set(name, '***');
  }
  return parsed.toString();
}
