import type { Pool } from 'pg';
import { userError } from '#kernel';

export interface AuditFilter {
  /** null = of all tenants. */
  readonly tenant: string | null;
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly entity?: string | undefined;
  readonly outcome?: 'ok' | 'denied' | 'failed' | undefined;
  /** Instants in ISO 8601; `since` counts, `until` does not. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export interface AuditLine {
  readonly id: string;
  readonly at: Date;
  readonly tenant: string | null;
  readonly actor: string;
  readonly surface: string;
  readonly action: string;
  readonly entity: string | null;
  readonly record: string | null;
  readonly outcome: string;
  readonly code: string | null;
  readonly requestId: string | null;
  readonly address: string | null;
  readonly details: unknown;
}

const LIST = `SELECT id, at, tenant, actor, surface, action, entity, record, outcome, code,
    request AS "requestId", address, details,
    to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '_' || id AS cursor
  FROM bac.audit
  WHERE ($1::text IS NULL OR tenant = $1) AND ($2::text IS NULL OR actor = $2)
    AND ($3::text IS NULL OR action = $3) AND ($4::text IS NULL OR outcome = $4)
    AND ($5::timestamptz IS NULL OR at >= $5) AND ($6::timestamptz IS NULL OR at < $6)
    AND ($7::timestamptz IS NULL OR (at, id) < ($7, $8::uuid)) AND ($9::text IS NULL OR entity = $9)
  ORDER BY at DESC, id DESC LIMIT $10`;

/** The trail, newest first, a page at a time without gap or repeat. */
export async function readAudit(
  pool: Pool,
  filter: AuditFilter,
): Promise<{ entries: AuditLine[]; next: string | null }> {
  const [at, id] = splitCursor(filter.cursor);
  const { rows } = await pool.query<AuditLine & { cursor: string }>(LIST, [
    filter.tenant,
    filter.actor ?? null,
    filter.action ?? null,
    filter.outcome ?? null,
    filter.since ?? null,
    filter.until ?? null,
    at,
    id,
    filter.entity ?? null,
    filter.limit + 1,
  ]);
  const page = rows.slice(0, filter.limit);
  return {
    entries: page.map(({ cursor: _, ...line }) => line),
    next: rows.length > filter.limit ? page.at(-1)!.cursor : null,
  };
}

function splitCursor(cursor: string | undefined): [string | null, string | null] {
  if (cursor === undefined) return [null, null];
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)_([0-9a-f-]{36})$/.exec(cursor);
  if (!match)
    throw userError('REQUEST_INVALID', 'The cursor is not one of ours.', 'Start again without a cursor.');
  return [match[1]!, match[2]!];
}
