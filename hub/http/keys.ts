import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Pool } from 'pg';
import { z } from 'zod';
import { type Principal, userError } from '#kernel';

const principalSchema = z.object({
  tenant: z.string().nullable(),
  user: z.string(),
  roles: z.array(z.string()),
  attributes: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  scopes: z.array(z.enum(['read', 'write', 'admin'])),
});

const KEY = /^([0-9a-f]{12})\.([A-Za-z0-9_-]{43})$/;
const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();

export interface KeyInfo {
  readonly id: string;
  readonly principal: Principal;
  readonly createdAt: string;
  readonly revokedAt: string | null;
}

/**
 * Makes an API key for `principal` and returns its text `id.secret`: the only time it can be seen,
 * the database keeps a SHA-256 of the secret (32 random bytes, so no slow hash is needed).
 */
export async function createApiKey(pool: Pool, principal: Principal): Promise<string> {
  const id = randomBytes(6).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  await pool.query('INSERT INTO bac.api_keys (id, hash, principal) VALUES ($1, $2, $3)', [
    id,
    hashOf(secret).toString('hex'),
    JSON.stringify(principalSchema.parse(principal)),
  ]);
  return `${id}.${secret}`;
}

/** Marks keys that come with the deployment: of each purpose one is valid at a time. */
const PURPOSE = 'deployment';

/**
 * Makes `text` (as `createApiKey` gives it) the one valid key of this purpose: keys of the purpose
 * installed before are revoked. Any number of processes may install the same key at once, or again.
 * Errors: KEY_MALFORMED (user); KEY_REVOKED (user) for a key that somebody has revoked.
 */
export async function installApiKey(
  pool: Pool,
  text: string,
  purpose: string,
  principal: Principal,
): Promise<void> {
  const [, id, secret] = KEY.exec(text) ?? [];
  if (!id || !secret) {
    throw userError(
      'KEY_MALFORMED',
      `The ${purpose} key given to this process is not of the form of a key.`,
      'Make one: 12 hexadecimal digits, a dot, and 43 letters or digits (32 random bytes in base64url).',
    );
  }
  const marked = { ...principal, attributes: { ...principal.attributes, [PURPOSE]: purpose } };
  const hash = hashOf(secret).toString('hex');
  await pool.query(
    'INSERT INTO bac.api_keys (id, hash, principal) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING',
    [id, hash, JSON.stringify(principalSchema.parse(marked))],
  );
  const { rows } = await pool.query<{ hash: string; revoked: boolean }>(
    'SELECT hash, revoked_at IS NOT NULL AS revoked FROM bac.api_keys WHERE id = $1',
    [id],
  );
  if (rows[0]?.revoked || rows[0]?.hash !== hash) {
    throw userError(
      'KEY_REVOKED',
      `The ${purpose} key ${id} given to this process has been revoked.`,
      'Give it a new one.',
    );
  }
  await pool.query(
    `UPDATE bac.api_keys SET revoked_at = now()
     WHERE id <> $1 AND revoked_at IS NULL AND principal->'attributes'->>$2 = $3`,
    [id, PURPOSE, purpose],
  );
}

/** The key's principal, or null if it is malformed, unknown, wrong or revoked. Constant-time comparison. */
export async function principalOfKey(
  pool: Pool,
  text: string,
): Promise<{ id: string; principal: Principal } | null> {
  const [, id, secret] = KEY.exec(text) ?? [];
  if (!id || !secret) return null;
  const { rows } = await pool.query<{ hash: string; principal: unknown }>(
    'SELECT hash, principal FROM bac.api_keys WHERE id = $1 AND revoked_at IS NULL',
    [id],
  );
  const row = rows[0];
  if (!row) return null;
  const kept = Buffer.from(row.hash, 'hex');
  const given = hashOf(secret);
  if (kept.length !== given.length || !timingSafeEqual(kept, given)) return null;
  return { id, principal: principalSchema.parse(row.principal) };
}

export async function listApiKeys(pool: Pool): Promise<KeyInfo[]> {
  const { rows } = await pool.query<{
    id: string;
    principal: unknown;
    created_at: Date;
    revoked_at: Date | null;
  }>('SELECT id, principal, created_at, revoked_at FROM bac.api_keys ORDER BY created_at, id LIMIT 1000');
  return rows.map((row) => ({
    id: row.id,
    principal: principalSchema.parse(row.principal),
    createdAt: row.created_at.toISOString(),
    revokedAt: row.revoked_at?.toISOString() ?? null,
  }));
}

/** Ends a key and every session opened with it. Revoking twice is fine; an unknown id is a user error. */
export async function revokeApiKey(pool: Pool, id: string): Promise<void> {
  const { rowCount } = await pool.query(
    'UPDATE bac.api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1',
    [id],
  );
  if (!rowCount) throw userError('KEY_NOT_FOUND', `There is no API key "${id}".`, 'See `bac keys list`.');
}

/** True while the key exists and is not revoked. */
export async function keyIsLive(pool: Pool, id: string): Promise<boolean> {
  const { rowCount } = await pool.query('SELECT 1 FROM bac.api_keys WHERE id = $1 AND revoked_at IS NULL', [
    id,
  ]);
  return (rowCount ?? 0) > 0;
}
