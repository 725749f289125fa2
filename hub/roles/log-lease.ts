import type { Pool } from 'pg';

/** Life of the note which log this hub uses, without renewal. */
export const LOG_LEASE_SECONDS = 10;

/**
 * Notes that this process uses the log `identity`. False while living processes use another one. All
 * users of one log hold the lease together: its holder is the log, not a process.
 */
export async function renewLogLease(pool: Pool, identity: string): Promise<boolean> {
  const { rowCount } = await pool.query(
    `INSERT INTO bac.leases AS held (name, holder, token, expires_at)
     VALUES ('log', $1, 1, now() + $2 * interval '1 second')
     ON CONFLICT (name) DO UPDATE SET holder = $1, expires_at = excluded.expires_at,
         token = held.token + CASE WHEN held.holder = $1 THEN 0 ELSE 1 END
       WHERE held.holder = $1 OR held.expires_at < now()`,
    [identity, LOG_LEASE_SECONDS],
  );
  return rowCount === 1;
}
