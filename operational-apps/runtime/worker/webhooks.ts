import { randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import type { Logger } from '#kernel';
import { signature } from './hmac.ts';
import { send } from './send.ts';

export interface WebhookOptions {
  /** As the owner of the hub's state. */
  readonly pool: Pool;
  readonly logger: Logger;
  /** Also to loopback and private networks; default false. */
  readonly allowPrivate?: boolean;
  /** Attempts after which a webhook is dead; default 12, which with the pauses is about three days. */
  readonly attempts?: number;
  readonly timeoutMs?: number;
  /** Pause after the first failure, doubled with each further one up to 12 hours; default 10,000 ms. */
  readonly firstPauseMs?: number;
}

interface Due {
  readonly id: string;
  readonly tenant_id: string;
  readonly url: string;
  readonly body: unknown;
  readonly attempts: number;
}

const AT_ONCE = 8;
const MOST_PAUSE_MS = 12 * 3_600_000;
const SECRET = 'webhook_signing';

/**
 * Sends webhooks that are due; returns how many it had in hand. Several workers share them: each is held
 * by one until its time-out. At least once: a worker that dies after sending sends again, with the same
 * `X-Bac-Delivery`.
 */
export async function sendWebhooks(options: WebhookOptions): Promise<number> {
  const { pool, timeoutMs = 10_000 } = options;
  const { rows } = await pool.query<Due>(
    `UPDATE bac.outbox SET held_until = now() + $1 * interval '1 millisecond', attempts = attempts + 1
     WHERE id IN (SELECT id FROM bac.outbox WHERE state = 'waiting' AND next_at <= now()
                    AND (held_until IS NULL OR held_until < now())
                  ORDER BY next_at LIMIT ${AT_ONCE} FOR UPDATE SKIP LOCKED)
     RETURNING id, tenant_id, url, body, attempts`,
    [timeoutMs + 5_000],
  );
  if (rows.length === 0) return 0;
  const secret = await signingSecret(pool);
  await Promise.all(rows.map((due) => deliver(options, due, secret)));
  return rows.length;
}

async function deliver(options: WebhookOptions, due: Due, secret: string): Promise<void> {
  const { pool, logger, allowPrivate = false, timeoutMs = 10_000, attempts = 12 } = options;
  const body = JSON.stringify(due.body);
  let failure: string;
  let status: number | null = null;
  let pause: number | null = null;
  try {
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'bac-hub',
      'x-bac-delivery': due.id,
      'x-bac-tenant': due.tenant_id,
      'x-bac-signature': signature(secret, body, new Date()),
    };
    const answer = await send({ url: due.url, body, headers, timeoutMs, allowPrivate });
    status = answer.status;
    if (status >= 200 && status < 300) {
      await pool.query(
        `UPDATE bac.outbox SET state = 'sent', sent_at = now(), held_until = NULL, last_status = $2, last_error = NULL WHERE id = $1`,
        [due.id, status],
      );
      return;
    }
    failure = `HTTP ${status}`;
    pause = answer.retryAfter === null ? null : answer.retryAfter * 1000;
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
  const dead = due.attempts >= attempts;
  const backoff = Math.min((options.firstPauseMs ?? 10_000) * 2 ** (due.attempts - 1), MOST_PAUSE_MS);
  await pool.query(
    `UPDATE bac.outbox SET state = $2, next_at = now() + $3 * interval '1 millisecond', held_until = NULL,
       last_status = $4, last_error = $5 WHERE id = $1`,
    [
      due.id,
      dead ? 'dead' : 'waiting',
      pause ?? backoff * (0.8 + Math.random() * 0.4),
      status,
      failure.slice(0, 500),
    ],
  );
  logger.warn({ webhook: due.id, attempt: due.attempts, dead, error: failure }, 'webhook not delivered');
}

/** Made when first needed; receivers verify with it. Never logged. */
async function signingSecret(pool: Pool): Promise<string> {
  await pool.query('INSERT INTO bac.secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
    SECRET,
    randomBytes(32).toString('hex'),
  ]);
  const { rows } = await pool.query<{ value: string }>('SELECT value FROM bac.secrets WHERE name = $1', [
    SECRET,
  ]);
  return rows[0]!.value;
}
