import { randomUUID } from 'node:crypto';
import type { Pool, PoolClient } from 'pg';
import { z } from 'zod';
import { type Principal, userError } from '#kernel';
import { checkPassword, hashPassword } from './passwords.ts';

/** A person with an e-mail address, or a service account: a name that acts through API keys only. */
export interface User {
  readonly id: string;
  readonly kind: 'person' | 'service';
  readonly login: string;
  readonly name: string;
  readonly tenant: string | null;
  readonly roles: readonly string[];
  readonly attributes: Principal['attributes'];
  readonly scopes: Principal['scopes'];
  readonly disabled: boolean;
  readonly hasPassword: boolean;
  readonly totp: boolean;
  /** Name of the provider that vouches for it, by issuer; null for local accounts. */
  readonly issuer: string | null;
  readonly createdAt: string;
  readonly signedInAt: string | null;
}

export const rightsSchema = z.object({
  roles: z.array(z.string()),
  attributes: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  scopes: z.array(z.enum(['read', 'write', 'admin'])),
});

export interface UserRow {
  id: string;
  kind: 'person' | 'service';
  login: string;
  name: string;
  tenant: string | null;
  roles: unknown;
  attributes: unknown;
  scopes: unknown;
  disabled: boolean;
  password: string | null;
  totp: boolean;
  totp_secret: string | null;
  issuer: string | null;
  created_at: Date;
  signed_in_at: Date | null;
}

/** Columns of a UserRow, of a table named or aliased `u`. */
export const USER_COLUMNS = `u.id, u.kind, u.login, u.name, u.tenant, u.roles, u.attributes, u.scopes,
  u.disabled_at IS NOT NULL AS disabled, u.password, u.totp_confirmed_at IS NOT NULL AS totp,
  u.totp_secret, u.issuer, u.created_at, u.signed_in_at`;

export const principalOfUser = (row: UserRow): Principal => ({
  tenant: row.tenant,
  user: row.login,
  ...rightsSchema.parse(row),
});

const shown = (row: UserRow): User => ({
  id: row.id,
  kind: row.kind,
  login: row.login,
  name: row.name,
  tenant: row.tenant,
  ...rightsSchema.parse(row),
  disabled: row.disabled,
  hasPassword: row.password !== null,
  totp: row.totp,
  issuer: row.issuer,
  createdAt: row.created_at.toISOString(),
  signedInAt: row.signed_in_at?.toISOString() ?? null,
});

export interface NewUser extends Omit<Principal, 'user'> {
  readonly kind: User['kind'];
  readonly login: string;
  readonly name: string;
  /** Absent: it cannot sign in with one. */
  readonly password?: string;
  /** Who vouches for it; without a subject it is bound to one at the first sign-in. */
  readonly subject?: { readonly issuer: string; readonly subject: string | null };
}

/** Adds an account and resolves to its id. USER_EXISTS, PASSWORD_WEAK (user). */
export async function addUser(pool: Pool, user: NewUser): Promise<string> {
  const login = loginOf(user.login);
  if (user.password !== undefined) checkPassword(user.password, login);
  const password = user.password === undefined ? null : await hashPassword(user.password);
  const id = randomUUID();
  const { rowCount } = await pool.query(
    `INSERT INTO bac.users (id, kind, login, name, tenant, password, roles, attributes, scopes, issuer, subject)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
    [
      id,
      user.kind,
      login,
      user.name,
      user.tenant,
      password,
      JSON.stringify(user.roles),
      JSON.stringify(user.attributes),
      JSON.stringify(user.scopes),
      user.subject?.issuer ?? null,
      user.subject?.subject ?? null,
    ],
  );
  if (rowCount !== 1)
    throw userError('USER_EXISTS', `There is an account "${login}" already.`, 'See `bac users list`.');
  return id;
}

/** Logins are compared in lower case. */
export const loginOf = (text: string): string => text.trim().normalize('NFKC').toLowerCase();

export async function findUser(pool: Pool | PoolClient, login: string): Promise<UserRow | null> {
  const { rows } = await pool.query<UserRow>(`SELECT ${USER_COLUMNS} FROM bac.users u WHERE u.login = $1`, [
    loginOf(login),
  ]);
  return rows[0] ?? null;
}

export interface UserFilter {
  /** null = of all tenants. */
  readonly tenant: string | null;
  readonly kind?: User['kind'];
  /** After this login, for the next page. */
  readonly after?: string;
  readonly limit: number;
}

/** Accounts by login, a page at a time. */
export async function listUsers(pool: Pool, filter: UserFilter): Promise<User[]> {
  const { rows } = await pool.query<UserRow>(
    `SELECT ${USER_COLUMNS} FROM bac.users u
     WHERE ($1::text IS NULL OR u.tenant = $1) AND ($2::text IS NULL OR u.kind = $2)
       AND ($3::text IS NULL OR u.login > $3) ORDER BY u.login LIMIT $4`,
    [filter.tenant, filter.kind ?? null, filter.after ?? null, filter.limit],
  );
  return rows.map(shown);
}

export interface UserChange {
  readonly disabled?: boolean;
  readonly password?: string;
  readonly roles?: readonly string[];
  readonly attributes?: Principal['attributes'];
  readonly scopes?: Principal['scopes'];
  readonly name?: string;
}

/**
 * Changes an account. All its sessions end with it, but for a mere change of name: whoever holds a
 * cookie has to sign in again under the new rights.
 */
export async function changeUser(pool: Pool, user: UserRow, change: UserChange): Promise<void> {
  if (change.password !== undefined) checkPassword(change.password, user.login);
  const password = change.password === undefined ? null : await hashPassword(change.password);
  const json = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));
  await inTransaction(pool, async (client) => {
    // The row is locked first: a sign-in under way either ends before and is deleted, or sees the change.
    await client.query(
      `UPDATE bac.users SET updated_at = now(), name = coalesce($2, name), password = coalesce($3, password),
         roles = coalesce($4, roles), attributes = coalesce($5, attributes), scopes = coalesce($6, scopes),
         disabled_at = CASE WHEN $7::boolean IS NULL THEN disabled_at WHEN $7 THEN coalesce(disabled_at, now()) END
       WHERE id = $1`,
      [
        user.id,
        change.name ?? null,
        password,
        json(change.roles),
        json(change.attributes),
        json(change.scopes),
        change.disabled ?? null,
      ],
    );
    const { name: _, ...rights } = change;
    if (Object.values(rights).some((value) => value !== undefined))
      await client.query('DELETE FROM bac.sessions WHERE user_id = $1', [user.id]);
  });
}

export async function inTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {}); // the connection is lost: so is the transaction
    throw error;
  } finally {
    client.release();
  }
}
