import type { Pool } from 'pg';

/** A webhook in the outbox, as an operator sees it: without its body. */
export interface WebhookDelivery {
  readonly id: string;
  readonly tenant: string;
  readonly entity: string;
  readonly record: string;
  /** Without what may be secret in it: user, password, query. */
  readonly url: string;
  readonly state: 'waiting' | 'sent' | 'dead';
  readonly attempts: number;
  readonly createdAt: Date;
  /** When it is tried next; null unless it waits. */
  readonly nextAt: Date | null;
  readonly sentAt: Date | null;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
}

/** One run of an automation by time. */
export interface AutomationRun {
  readonly tenant: string;
  readonly entity: string;
  readonly automation: string;
  readonly record: string;
  readonly dueAt: Date;
  readonly ranAt: Date;
  readonly state: 'done' | 'skipped' | 'failed';
  readonly attempts: number;
  readonly error: string | null;
}

export interface DeliveryChoice {
  readonly state?: WebhookDelivery['state'] | undefined;
  readonly tenant?: string | undefined;
  /** Ids below this one. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** Webhooks of all tenants, newest first. As the owner of the hub's state. */
export async function listDeliveries(pool: Pool, choice: DeliveryChoice): Promise<WebhookDelivery[]> {
  const { rows } = await pool.query<WebhookDelivery>(
    `SELECT id::text, tenant_id AS tenant, entity, record_id::text AS record, url, state, attempts,
       created_at AS "createdAt", CASE WHEN state = 'waiting' THEN next_at END AS "nextAt", sent_at AS "sentAt",
       last_status AS "lastStatus", last_error AS "lastError"
     FROM bac.outbox
     WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR tenant_id = $2)
       AND ($3::bigint IS NULL OR id < $3)
     ORDER BY id DESC LIMIT $4`,
    [choice.state ?? null, choice.tenant ?? null, choice.before ?? null, choice.limit],
  );
  return rows.map((row) => ({ ...row, url: shownUrl(row.url) }));
}

/**
 * Dead webhooks, those of `ids` or all (of one tenant), are sent again with all attempts before them, under
 * the same `X-Bac-Delivery`. Others are left as they are. Returns how many.
 */
export async function resendDeliveries(
  pool: Pool,
  choice: { readonly ids?: readonly string[] | undefined; readonly tenant?: string | undefined },
): Promise<number> {
  const { rowCount } = await pool.query(
    `UPDATE bac.outbox SET state = 'waiting', attempts = 0, next_at = now(), held_until = NULL
     WHERE state = 'dead' AND ($1::bigint[] IS NULL OR id = ANY ($1)) AND ($2::text IS NULL OR tenant_id = $2)`,
    [choice.ids ?? null, choice.tenant ?? null],
  );
  return rowCount ?? 0;
}

/** The last runs of automations by time, newest first. As the owner of the hub's state. */
export async function listAutomationRuns(
  pool: Pool,
  choice: {
    readonly state?: AutomationRun['state'] | undefined;
    readonly tenant?: string | undefined;
    readonly limit: number;
  },
): Promise<AutomationRun[]> {
  const { rows } = await pool.query<AutomationRun>(
    `SELECT tenant_id AS tenant, entity, automation, record_id::text AS record, due_at AS "dueAt",
       ran_at AS "ranAt", state, attempts, error
     FROM bac.automation_runs
     WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR tenant_id = $2)
     ORDER BY ran_at DESC, tenant_id, entity, automation, record_id, due_at LIMIT $3`,
    [choice.state ?? null, choice.tenant ?? null, choice.limit],
  );
  return rows;
}

function shownUrl(text: string): string {
  if (!URL.canParse(text)) return 'not a URL';
  const { origin, pathname, search } = new URL(text);
  return `${origin}${pathname}${search === '' ? '' : '?…'}`;
}
