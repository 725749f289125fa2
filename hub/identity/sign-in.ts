import type { Pool } from 'pg';
import { audit, HubError, userError } from '#kernel';
import { hashPassword, isOutdated, passwordMatches } from './passwords.ts';
import { signInRefused } from './refusals.ts';
import type { Seal } from './seal.ts';
import { codeWrong, spendCode } from './second-factor.ts';
import { beginAttempt } from './throttle.ts';
import { findUser, loginOf, type UserRow } from './users.ts';

export interface Credentials {
  readonly email: string;
  readonly password: string;
  readonly code?: string | undefined;
}

/**
 * Who this is, by e-mail address, password and, where enrolled, code. An unknown account, one without
 * password, a disabled one and a wrong password are one answer that takes the same time.
 * Errors (user): SIGN_IN_REFUSED, CODE_REQUIRED, CODE_WRONG, SIGN_IN_THROTTLED; BUSY (transient).
 */
export async function checkCredentials(
  pool: Pool,
  seal: Seal,
  given: Credentials,
  from: { readonly address: string; readonly requestId: string },
): Promise<UserRow> {
  const login = loginOf(given.email);
  const attempt = await beginAttempt(pool, login, from.address);
  const note = (user: UserRow | null, code: string): Promise<void> =>
    audit(pool, {
      principal: user && { tenant: user.tenant, user: user.login },
      // An unknown name may be a password typed into the wrong field.
      actor: 'unknown',
      surface: 'http',
      action: 'sign-in',
      outcome: 'failed',
      code,
      ...from,
    });
  const user = await findUser(pool, login);
  const matches = await passwordMatches(given.password, user?.password ?? null);
  if (!user || !matches || user.disabled) {
    await note(user, 'SIGN_IN_REFUSED');
    throw signInRefused(
      'The e-mail address or the password is wrong.',
      'Try again; an administrator can set a new password with `bac users passwd`.',
    );
  }
  if (user.totp) {
    if (given.code === undefined || given.code === '') {
      await attempt.withdrawn();
      throw new HubError('CODE_REQUIRED', 'This account has a second factor.', {
        next: 'Give the code of your authenticator, or a recovery code.',
        disposition: 'user',
      });
    }
    if (!(await spendCode(pool, seal, user, given.code))) {
      await note(user, 'CODE_WRONG');
      throw codeWrong();
    }
  }
  await attempt.succeeded();
  return isOutdated(user.password!) ? renewed(pool, user, given.password) : user;
}

/**
 * Asks for the password once more, counted like a sign-in. Errors (user): SIGN_IN_REFUSED,
 * SIGN_IN_THROTTLED, and PASSWORD_MISSING for an account of a provider.
 */
export async function reconfirm(pool: Pool, user: UserRow, password: string, address: string): Promise<void> {
  if (user.password === null)
    throw userError('PASSWORD_MISSING', 'This account has no password here.', 'See to it at your provider.');
  const attempt = await beginAttempt(pool, user.login, address);
  if (!(await passwordMatches(password, user.password)))
    throw signInRefused('The password is wrong.', 'Try again.');
  await attempt.succeeded();
}

/** The account with its password hashed by today's parameters. */
async function renewed(pool: Pool, user: UserRow, password: string): Promise<UserRow> {
  const stored = await hashPassword(password);
  const { rowCount } = await pool.query(
    'UPDATE bac.users SET password = $2 WHERE id = $1 AND password = $3',
    [user.id, stored, user.password],
  );
  return rowCount === 1 ? { ...user, password: stored } : user;
}
