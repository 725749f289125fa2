import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Pool } from 'pg';
import { z } from 'zod';
import { type Principal, userError } from '#kernel';
import { boundBy } from './access.ts';
import { principalOfUser, rightsSchema, USER_COLUMNS, type UserRow } from './users.ts';

const principalSchema = z.object({
  tenant: z.string().nullable(),
  user: z.string(),
  ...rightsSchema.shape,
});

const KEY = /^([0-9a-f]{12})\.([A-Za-z0-9_-]{43})$/;
const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** A key's last use is written at most this often. */
const TOUCH = "interval '5 minutes'";

export interface KeyInfo {
  readonly id: string;
  readonly name: string | null;
  /** What it gives as it was made; a key with an owner gives no more than the owner has. */
  readonly principal: Principal;
  /** Login of the account it belongs to; null: it stands for itself. */
  readonly owner: string | null;
  readonly madeBy: string | null;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  /** To about five minutes. */
  readonly lastUsedAt: string | null;
  readonly revokedAt: string | null;
}

export interface KeyOptions {
  readonly name?: string | undefined;
  /** Id of the account whose rights bound the key's; disabling it ends the key. */
  readonly owner?: string | undefined;
  readonly madeBy?: string;
  readonly expiresAt?: Date | undefined;
}

/**
 * Makes an API key for `principal` and returns its text `id.secret`: the only time it can be seen,
 * the database keeps a SHA-256 of the secret (32 random bytes, so no slow hash is needed).
 */
export async function createApiKey(
  pool: Pool,
  principal: Principal,
  options: KeyOptions = {},
): Promise<string> {
  const id = randomBytes(6).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  await pool.query(
    `INSERT INTO bac.api_keys (id, hash, principal, name, owner, made_by, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [
      id,
      hashOf(secret).toString('hex'),
      JSON.stringify(principalSchema.parse(principal)),
      options.name ?? null,
      options.owner ?? null,
      options.madeBy ?? null,
      options.expiresAt ?? null,
    ],
  );
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

type LiveRow = UserRow & { hash: string; principal: unknown; owner: string | null; unused: boolean };

interface LiveKey {
  readonly hash: string;
  readonly principal: Principal;
  /** Its last use was not noted lately. */
  readonly unused: boolean;
}

/** A key that is neither revoked nor expired, whose owner, if it has one, is not disabled. */
async function liveKey(pool: Pool, id: string): Promise<LiveKey | null> {
  const { rows } = await pool.query<LiveRow>(
    `SELECT k.hash, k.principal, k.owner, ${USER_COLUMNS},
       k.last_used_at IS NULL OR k.last_used_at < now() - ${TOUCH} AS unused
     FROM bac.api_keys k LEFT JOIN bac.users u ON u.id = k.owner
     WHERE k.id = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
       AND (k.owner IS NULL OR u.disabled_at IS NULL)`,
    [id],
  );
  const row = rows[0];
  if (!row) return null;
  const own = principalSchema.parse(row.principal);
  const { hash, unused } = row;
  return { hash, unused, principal: row.owner === null ? own : boundBy(own, principalOfUser(row)) };
}

async function used(pool: Pool, id: string, key: LiveKey): Promise<void> {
  if (!key.unused) return;
  await pool.query(
    `UPDATE bac.api_keys SET last_used_at = now()
     WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - ${TOUCH})`,
    [id],
  );
}

/** The key's principal, or null if it is malformed, unknown, wrong or no longer live. Constant-time comparison. */
export async function principalOfKey(
  pool: Pool,
  text: string,
): Promise<{ id: string; principal: Principal } | null> {
  const [, id, secret] = KEY.exec(text) ?? [];
  if (!id || !secret) return null;
  const key = await liveKey(pool, id);
  if (!key) return null;
  const kept = Buffer.from(key.hash, 'hex');
  const given = hashOf(secret);
  if (kept.length !== given.length || !timingSafeEqual(kept, given)) return null;
  await used(pool, id, key);
  return { id, principal: key.principal };
}

/** What a session opened with this key may do now; null once the key is no longer live. */
export async function principalOfKeyId(pool: Pool, id: string): Promise<Principal | null> {
  const key = await liveKey(pool, id);
  if (key) await used(pool, id, key);
  return key?.principal ?? null;
}

/** Keys of a tenant, or of all (null), by age; at most 1,000. */
export async function listApiKeys(pool: Pool, tenant: string | null): Promise<KeyInfo[]> {
  const { rows } = await pool.query<{
    id: string;
    name: string | null;
    principal: unknown;
    owner: string | null;
    made_by: string | null;
    created_at: Date;
    expires_at: Date | null;
    last_used_at: Date | null;
    revoked_at: Date | null;
  }>(
    `SELECT k.id, k.name, k.principal, u.login AS owner, k.made_by, k.created_at, k.expires_at,
       k.last_used_at, k.revoked_at
     FROM bac.api_keys k LEFT JOIN bac.users u ON u.id = k.owner
     WHERE $1::text IS NULL OR k.principal->>'tenant' = $1
     ORDER BY k.created_at, k.id LIMIT 1000`,
    [tenant],
  );
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    principal: principalSchema.parse(row.principal),
    owner: row.owner,
    madeBy: row.made_by,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
    revokedAt: row.revoked_at?.toISOString() ?? null,
  }));
}

/**
 * Ends a key and every session opened with it. Revoking twice is fine; an id that is unknown, or of
 * another tenant than `tenant` (null = any), is KEY_NOT_FOUND (user).
 */
export async function revokeApiKey(pool: Pool, id: string, tenant: string | null): Promise<void> {
  const { rowCount } = await pool.query(
    `UPDATE bac.api_keys SET revoked_at = coalesce(revoked_at, now())
     WHERE id = $1 AND ($2::text IS NULL OR principal->>'tenant' = $2)`,
    [id, tenant],
  );
  if (!rowCount) throw userError('KEY_NOT_FOUND', `There is no API key "${id}".`, 'See `bac keys list`.');
}
