import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { acquireLease, type Lease, type Logger, toHubError, transientError } from '#kernel';
import type { Right } from '#semantic';

const LEASE = 'rollups';

/**
 * The right to build and refresh roll-ups: a lease of one api process, taken when there is something to do and kept
 * while the process lives.
 */
export function rollupRight({ pool, logger }: { readonly pool: Pool; readonly logger: Logger }): {
  take(): Promise<Right | null>;
  release(): Promise<void>;
} {
  const holder = `api ${randomUUID()}`;
  let lease: Lease | null = null;
  return {
    async take() {
      try {
        lease = await acquireLease({ pool, name: LEASE, holder });
      } catch (thrown) {
        const error = toHubError(thrown);
        if (error.code !== 'LEASE_HELD')
          logger.warn({ err: error }, 'the right to keep roll-ups was not to be had');
        return null;
      }
      const { token, signal } = lease;
      return { token, signal, fenced: (step) => fenced(pool, holder, token, step) };
    },
    async release() {
      await lease?.release().catch(() => {}); // it expires by itself
    },
  };
}

/** Nobody can take the lease while its row is locked: the step is over before another process begins. */
async function fenced(pool: Pool, holder: string, token: number, step: () => Promise<void>): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const { rowCount } = await client.query(
      'SELECT 1 FROM bac.leases WHERE name = $1 AND holder = $2 AND token = $3 FOR UPDATE',
      [LEASE, holder, token],
    );
    if (rowCount === 0) throw transientError('LEASE_HELD', 'Another process keeps the roll-ups now.');
    await step();
  } finally {
    await client.query('ROLLBACK').catch(() => {}); // nothing was written here
    client.release();
  }
}
