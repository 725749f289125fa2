import { createHash, randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import { HubError, userError } from '#kernel';
import type { Seal } from './seal.ts';
import { matchingStep, newSecret, otpauthUri, toBase32 } from './totp.ts';
import { inTransaction, type UserRow } from './users.ts';

const RECOVERY_CODES = 10;

/** Eighty random bits as `XXXX-XXXX-XXXX-XXXX`. */
const recoveryCode = (): string => toBase32(randomBytes(10)).replace(/(.{4})(?=.)/g, '$1-');
const hashOf = (code: string): string => createHash('sha256').update(code).digest('base64url');

/** Begins enrolment: a secret that counts once a code of it has been given to `confirmTotp`. */
export async function enrolTotp(
  pool: Pool,
  seal: Seal,
  user: UserRow,
  issuer: string,
): Promise<{ secret: string; uri: string }> {
  const secret = newSecret();
  const { rowCount } = await pool.query(
    'UPDATE bac.users SET totp_secret = $2 WHERE id = $1 AND totp_confirmed_at IS NULL',
    [user.id, seal.close(secret, user.id)],
  );
  if (rowCount !== 1)
    throw userError('TOTP_EXISTS', 'A second factor is set up already.', 'Turn it off first.');
  return { secret, uri: otpauthUri(secret, user.login, issuer) };
}

/** Ends enrolment; resolves to the recovery codes, which are shown this once. CODE_WRONG (user). */
export async function confirmTotp(pool: Pool, seal: Seal, user: UserRow, code: string): Promise<string[]> {
  if (user.totp || user.totp_secret === null)
    throw userError('TOTP_NOT_BEGUN', 'There is no enrolment to be confirmed.', 'Begin one.');
  const step = matchingStep(seal.open(user.totp_secret, user.id), code, Date.now());
  if (step === null) throw codeWrong();
  const codes = Array.from({ length: RECOVERY_CODES }, recoveryCode);
  await inTransaction(pool, async (client) => {
    const { rowCount } = await client.query(
      `UPDATE bac.users SET totp_confirmed_at = now(), totp_step = $2
       WHERE id = $1 AND totp_confirmed_at IS NULL AND totp_secret = $3`,
      [user.id, step, user.totp_secret],
    );
    if (rowCount !== 1) throw userError('TOTP_EXISTS', 'A second factor is set up already.', 'Reload.');
    await client.query('DELETE FROM bac.recovery_codes WHERE user_id = $1', [user.id]);
    await client.query('INSERT INTO bac.recovery_codes (user_id, hash) SELECT $1, unnest($2::text[])', [
      user.id,
      codes.map(hashOf),
    ]);
  });
  return codes;
}

export async function disableTotp(pool: Pool, userId: string): Promise<void> {
  await inTransaction(pool, async (client) => {
    await client.query('UPDATE bac.users SET totp_secret = NULL, totp_confirmed_at = NULL WHERE id = $1', [
      userId,
    ]);
    await client.query('DELETE FROM bac.recovery_codes WHERE user_id = $1', [userId]);
  });
}

/**
 * Whether `code` is good now: six digits of this moment that were not taken before, or a recovery
 * code that was not used. Either is used up by it, also among requests at once.
 */
export async function spendCode(pool: Pool, seal: Seal, user: UserRow, code: string): Promise<boolean> {
  const digits = code.replace(/\s/g, '');
  if (/^\d{6}$/.test(digits)) {
    const secret = user.totp_secret === null ? null : seal.open(user.totp_secret, user.id);
    const step = secret === null ? null : matchingStep(secret, digits, Date.now());
    if (step === null) return false;
    // A code is good for one sign-in: the step only moves on.
    const { rowCount } = await pool.query(
      'UPDATE bac.users SET totp_step = $2 WHERE id = $1 AND totp_step < $2',
      [user.id, step],
    );
    return rowCount === 1;
  }
  const letters = code.toUpperCase().replace(/[^A-Z2-7]/g, '');
  if (letters.length !== 16) return false;
  const { rowCount } = await pool.query(
    'UPDATE bac.recovery_codes SET used_at = now() WHERE user_id = $1 AND hash = $2 AND used_at IS NULL',
    [user.id, hashOf(letters.replace(/(.{4})(?=.)/g, '$1-'))],
  );
  return rowCount === 1;
}

/** Seals secrets that stand in clear or under an older secret. Resolves to how many; any number may run at once. */
export async function sealSecondFactors(pool: Pool, seal: Seal): Promise<number> {
  const { rows } = await pool.query<{ id: string; secret: string }>(
    'SELECT id, totp_secret AS secret FROM bac.users WHERE totp_secret IS NOT NULL',
  );
  let sealed = 0;
  for (const { id, secret } of rows) {
    if (!seal.isOutdated(secret)) continue;
    const plain = openOrNull(seal, secret, id);
    if (plain === null) continue;
    const { rowCount } = await pool.query(
      'UPDATE bac.users SET totp_secret = $2 WHERE id = $1 AND totp_secret = $3',
      [id, seal.close(plain, id), secret],
    );
    sealed += rowCount ?? 0;
  }
  return sealed;
}

/** What cannot be opened stays: its owner is told when a code is asked for. */
function openOrNull(seal: Seal, stored: string, place: string): string | null {
  try {
    return seal.open(stored, place);
  } catch {
    return null;
  }
}

export const codeWrong = (): HubError =>
  new HubError('CODE_WRONG', 'The code is wrong, or was used before.', {
    next: 'Wait for the next code of your authenticator, or use a recovery code.',
    disposition: 'user',
  });
