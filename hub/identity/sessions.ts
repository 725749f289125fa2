import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { HubError, type Principal } from '#kernel';
import { principalOfUser, USER_COLUMNS, type UserRow } from './users.ts';

export interface SessionLife {
  readonly idleMinutes: number;
  readonly maxHours: number;
}

export interface OpenSession {
  readonly id: string;
  readonly userId: string;
  readonly principal: Principal;
}

export interface SessionInfo {
  readonly id: string;
  readonly via: string;
  readonly address: string;
  readonly agent: string;
  readonly createdAt: string;
  readonly seenAt: string;
  readonly expiresAt: string;
}

/** Sessions one account may have at once; the oldest give way. */
const MOST = 50;
/** A session's last use is written at most this often. */
const TOUCH = "interval '1 minute'";

const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64url');

/** The form of a session's cookie: 32 random bytes. */
export const SESSION_TOKEN = /^[A-Za-z0-9_-]{43}$/;

/**
 * Opens a session for an account as it was read and resolves to the cookie's text, of which the
 * database keeps a SHA-256. If the account has been disabled, or its password changed since, there is
 * none: SIGN_IN_REFUSED (user).
 */
export async function openSession(
  pool: Pool,
  user: UserRow,
  from: { readonly via: string; readonly address: string; readonly agent: string },
  life: SessionLife,
): Promise<string> {
  const token = randomBytes(32).toString('base64url');
  const { rowCount } = await pool.query(
    `INSERT INTO bac.sessions (id, hash, user_id, via, address, agent, expires_at)
     SELECT $2, $3, u.id, $4, $5, $6, now() + $7 * interval '1 hour' FROM bac.users u
     WHERE u.id = $1 AND u.disabled_at IS NULL AND u.password IS NOT DISTINCT FROM $8 FOR SHARE`,
    [
      user.id,
      randomUUID(),
      hashOf(token),
      from.via,
      from.address,
      from.agent.slice(0, 300),
      life.maxHours,
      user.password,
    ],
  );
  if (rowCount !== 1)
    throw new HubError('SIGN_IN_REFUSED', 'The account has just been changed.', {
      next: 'Sign in again.',
      disposition: 'user',
    });
  await pool.query('UPDATE bac.users SET signed_in_at = now() WHERE id = $1', [user.id]);
  await pool.query(
    `DELETE FROM bac.sessions WHERE user_id = $1 AND id NOT IN
       (SELECT id FROM bac.sessions WHERE user_id = $1 ORDER BY created_at DESC LIMIT ${MOST})`,
    [user.id],
  );
  return token;
}

/** The live session of a cookie, with the account's rights as they are now; null if there is none. */
export async function sessionOf(pool: Pool, token: string, life: SessionLife): Promise<OpenSession | null> {
  if (!SESSION_TOKEN.test(token)) return null;
  const { rows } = await pool.query<UserRow & { session: string; stale: boolean }>(
    `SELECT s.id AS session, s.seen_at < now() - ${TOUCH} AS stale, ${USER_COLUMNS}
     FROM bac.sessions s JOIN bac.users u ON u.id = s.user_id
     WHERE s.hash = $1 AND s.expires_at > now() AND s.seen_at > now() - $2 * interval '1 minute'
       AND u.disabled_at IS NULL`,
    [hashOf(token), life.idleMinutes],
  );
  const row = rows[0];
  if (!row) return null;
  if (row.stale) {
    await pool.query(`UPDATE bac.sessions SET seen_at = now() WHERE id = $1 AND seen_at < now() - ${TOUCH}`, [
      row.session,
    ]);
  }
  return { id: row.session, userId: row.id, principal: principalOfUser(row) };
}

export async function endSession(pool: Pool, token: string): Promise<void> {
  await pool.query('DELETE FROM bac.sessions WHERE hash = $1', [hashOf(token)]);
}

/** An account's sessions that are not over, newest first. */
export async function listSessions(pool: Pool, userId: string, life: SessionLife): Promise<SessionInfo[]> {
  const { rows } = await pool.query<{
    id: string;
    via: string;
    address: string;
    agent: string;
    created_at: Date;
    seen_at: Date;
    expires_at: Date;
  }>(
    `SELECT id, via, address, agent, created_at, seen_at, expires_at FROM bac.sessions
     WHERE user_id = $1 AND expires_at > now() AND seen_at > now() - $2 * interval '1 minute'
     ORDER BY created_at DESC LIMIT ${MOST}`,
    [userId, life.idleMinutes],
  );
  return rows.map((row) => ({
    id: row.id,
    via: row.via,
    address: row.address,
    agent: row.agent,
    createdAt: row.created_at.toISOString(),
    seenAt: row.seen_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
  }));
}

/** Ends one session of an account, or all of them, or all `but` one. Resolves to how many. */
export async function endSessions(
  pool: Pool,
  userId: string,
  which: { readonly id?: string; readonly but?: string } = {},
): Promise<number> {
  const { rowCount } = await pool.query(
    `DELETE FROM bac.sessions WHERE user_id = $1 AND ($2::uuid IS NULL OR id = $2)
       AND ($3::uuid IS NULL OR id <> $3)`,
    [userId, which.id ?? null, which.but ?? null],
  );
  return rowCount ?? 0;
}

/** Takes away what has ended. */
export async function pruneSessions(pool: Pool, life: SessionLife): Promise<void> {
  await pool.query(
    `DELETE FROM bac.sessions WHERE expires_at < now() OR seen_at < now() - $1 * interval '1 minute'`,
    [life.idleMinutes],
  );
  await pool.query('DELETE FROM bac.oidc_logins WHERE expires_at < now()');
}
