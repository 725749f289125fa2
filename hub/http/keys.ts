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
