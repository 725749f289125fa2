import { createHash } from 'node:crypto';
import type { Pool } from 'pg';
import { HubError } from '#kernel';
import { visitorOf } from './limits.ts';

/**
 * Holds back guessing. Each attempt is counted before it is tried, so any number at once gain nothing;
 * a success takes its own count back. Beyond `free` failures there is a wait of 30 s, and each
 * further one doubles it, up to `mostSeconds`; after `forgetHours` without a failure the count begins anew. Kept in the database:
 * replicas share it and a restart does not end it. Accounts that do not exist are counted like others.
 */
interface Rule {
  readonly free: number;
  readonly mostSeconds: number;
  readonly forgetHours: number;
}

const ACCOUNT: Rule = { free: 5, mostSeconds: 900, forgetHours: 24 };
/** Many people may share an address. */
const ADDRESS: Rule = { free: 30, mostSeconds: 900, forgetHours: 1 };

const COUNT = `INSERT INTO bac.sign_in_failures AS kept (subject, failures, failed_at, locked_until)
  VALUES ($1, 1, now(), timestamptz 'epoch')
  ON CONFLICT (subject) DO UPDATE SET
    failures = CASE WHEN kept.failed_at < now() - $4 * interval '1 hour' THEN 1 ELSE kept.failures + 1 END,
    failed_at = now(),
    locked_until = CASE
      WHEN kept.failed_at < now() - $4 * interval '1 hour' OR kept.failures < $2 THEN timestamptz 'epoch'
      ELSE now() + least($3, 15 * power(2, least(kept.failures - $2 + 1, 20))) * interval '1 second' END
  WHERE kept.locked_until <= now()`;

export interface Attempt {
  /** It was right: the account's failures are forgotten, the address gets its count back. */
  succeeded(): Promise<void>;
  /** It was neither right nor wrong yet (a code is asked for): both get their count back. */
  withdrawn(): Promise<void>;
}

/** Counts an attempt to sign in. Errors: SIGN_IN_THROTTLED (user), `details.retryAfterSeconds`. */
export async function beginAttempt(pool: Pool, login: string, address: string): Promise<Attempt> {
  // Logins as they were typed may be anything, a password among them: kept as a hash only.
  const account = `account:${createHash('sha256').update(login).digest('base64url')}`;
  const place = `address:${visitorOf(address)}`;
  await count(pool, place, ADDRESS);
  try {
    await count(pool, account, ACCOUNT);
  } catch (error) {
    await giveBack(pool, place);
    throw error;
  }
  return {
    async succeeded() {
      await pool.query('DELETE FROM bac.sign_in_failures WHERE subject = $1', [account]);
      await giveBack(pool, place);
    },
    async withdrawn() {
      await giveBack(pool, account);
      await giveBack(pool, place);
    },
  };
}

async function count(pool: Pool, subject: string, rule: Rule): Promise<void> {
  const { rowCount } = await pool.query(COUNT, [subject, rule.free, rule.mostSeconds, rule.forgetHours]);
  if (rowCount === 1) return;
  const { rows } = await pool.query<{ seconds: number }>(
    `SELECT ceil(extract(epoch FROM locked_until - now()))::int AS seconds
     FROM bac.sign_in_failures WHERE subject = $1`,
    [subject],
  );
  const seconds = Math.max(1, rows[0]?.seconds ?? 1);
  throw new HubError('SIGN_IN_THROTTLED', 'There were too many failed sign-ins.', {
    next: `Wait ${seconds} s and try again.`,
    disposition: 'user',
    details: { retryAfterSeconds: seconds },
  });
}

async function giveBack(pool: Pool, subject: string): Promise<void> {
  await pool.query(
    `UPDATE bac.sign_in_failures SET failures = greatest(failures - 1, 0), locked_until = timestamptz 'epoch'
     WHERE subject = $1`,
    [subject],
  );
}

/** Forgets what no rule looks at any more. */
export async function pruneFailures(pool: Pool): Promise<void> {
  await pool.query(
    `DELETE FROM bac.sign_in_failures WHERE failed_at < now() - interval '1 day' AND locked_until < now()`,
  );
}
