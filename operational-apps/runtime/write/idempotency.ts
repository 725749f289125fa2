import { createHash } from 'node:crypto';
import { HubError } from '#kernel';
import { problem } from '../model/problem.ts';
import { codeOf } from '../sessions/index.ts';
import type { Json } from '../types.ts';
import { Binder, type Unit } from './unit.ts';

const HOURS = 24;
const MOST_KEY = 200;
/** A second request waits this long for the first one's answer. */
const PATIENCE = '2s';

/**
 * Runs `work` once for a key: the key is written in the same transaction, so that both are there after a
 * crash or neither. A later request with the same key gets the first answer; one that comes while the
 * first is under way waits for it. Errors: IDEMPOTENCY_MISMATCH (another request under the same key),
 * IDEMPOTENCY_BUSY (the first is still under way).
 */
export async function withKey(
  unit: Unit,
  key: string,
  request: Json,
  work: () => Promise<Json>,
): Promise<Json> {
  if (key.length === 0 || key.length > MOST_KEY || !key.isWellFormed() || key.includes('\0'))
    throw problem(
      'VALUE_INVALID',
      `An idempotency key is a text of 1 to ${MOST_KEY} characters.`,
      'idempotencyKey',
    );
  const hash = createHash('sha256').update(canonical(request)).digest('base64url');
  const owner = [unit.identity.tenant, unit.identity.user, key];
  const claim = new Binder();
  const values = [...owner, hash].map((value) => claim.add(value)).join(', ');
  const find = new Binder();
  const own = owner
    .map((value, index) => `${['tenant_id', 'user_id', 'key'][index]} = ${find.add(value)}`)
    .join(' AND ');
  const [, claimed, , found] = await unit.tx
    .runAll([
      { text: `SET LOCAL lock_timeout = '${PATIENCE}'`, keep: true },
      claim.statement(
        `INSERT INTO bac.idempotency_keys AS k (tenant_id, user_id, key, request_hash, expires_at)
         VALUES (${values}, now() + interval '${HOURS} hours')
         ON CONFLICT (tenant_id, user_id, key) DO UPDATE
           SET request_hash = excluded.request_hash, response = NULL, created_at = now(), expires_at = excluded.expires_at
           WHERE k.expires_at < now()
         RETURNING 1`,
      ),
      { text: "SET LOCAL lock_timeout = '5s'", keep: true },
      find.statement(`SELECT request_hash, response FROM bac.idempotency_keys WHERE ${own}`),
    ])
    .catch((error: unknown) => {
      if (codeOf(error) === '55P03') throw busy();
      throw error;
    });
  if (claimed!.rows.length === 0) {
    const [foundHash, response] = found!.rows[0] ?? [];
    if (foundHash !== hash)
      throw new HubError('IDEMPOTENCY_MISMATCH', 'The idempotency key was used for another request.', {
        disposition: 'user',
        next: 'Use a new key for a new request.',
      });
    if (response === null || response === undefined) throw busy();
    return JSON.parse(response) as Json;
  }
  const answer = await work();
  const done = new Binder();
  const response = done.add(JSON.stringify(answer));
  const key3 = owner
    .map((value, index) => `${['tenant_id', 'user_id', 'key'][index]} = ${done.add(value)}`)
    .join(' AND ');
  unit.tx.later(
    done.statement(`UPDATE bac.idempotency_keys SET response = ${response}::jsonb WHERE ${key3}`),
  );
  return answer;
}

const busy = (): HubError =>
  new HubError('IDEMPOTENCY_BUSY', 'The first request with this key is still under way.', {
    disposition: 'transient',
    next: 'Ask again with the same key in a moment.',
  });

/** JSON with the keys of objects in order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : inner,
  );
}
