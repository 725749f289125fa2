import type { Pool } from 'pg';
import { HubError } from '../errors.ts';

export interface Lease {
  /** Grows with each change of holder. */
  readonly token: number;
  /** Aborts when the lease is lost or can no longer be renewed in time; its reason is what `refuse` made. */
  readonly signal: AbortSignal;
  release(): Promise<void>;
}

export interface LeaseOptions {
  readonly pool: Pool;
  readonly name: string;
  readonly holder: string;
  /** Life of the lease without renewal. Default 6 s; renewed every third of it. */
  readonly ttlMs?: number;
  /** The error of one that does not have the lease. Default: LEASE_HELD (transient). */
  readonly refuse?: (why: LeaseTrouble, cause?: unknown) => HubError;
}

/** Somebody has it (who), somebody took it over, it could not be renewed in time, it was given back. */
export type LeaseTrouble =
  | { readonly kind: 'held'; readonly holder: string | null }
  | { readonly kind: 'lost' | 'late' | 'released' };

const TROUBLE = {
  held: 'Another process is at it.',
  lost: 'Another process has taken over.',
  late: 'The lease could not be renewed in time.',
  released: 'The lease was given back.',
} as const;

const refused = (why: LeaseTrouble, cause?: unknown): HubError =>
  new HubError('LEASE_HELD', TROUBLE[why.kind], { disposition: 'transient', cause });

/**
 * Takes the lease if it is free, expired, or this holder's own (a restarted process takes it back at
 * once; the process before it is fenced by its older token). Expiry is by the database's clock.
 * Errors: what `refuse` makes, while another holder has it.
 */
export async function acquireLease(options: LeaseOptions): Promise<Lease> {
  const { pool, name, holder, ttlMs = 6000, refuse = refused } = options;
  const asked = performance.now();
  const { rows } = await pool.query<{ token: string }>(
    `INSERT INTO bac.leases AS held (name, holder, token, expires_at)
     VALUES ($1, $2, 1, now() + $3 * interval '1 millisecond')
     ON CONFLICT (name) DO UPDATE SET holder = $2, token = held.token + 1, expires_at = excluded.expires_at
       WHERE held.holder = $2 OR held.expires_at < now()
     RETURNING token`,
    [name, holder, ttlMs],
  );
  const token = rows[0]?.token;
  if (token === undefined) {
    const { rows: held } = await pool.query<{ holder: string }>(
      'SELECT holder FROM bac.leases WHERE name = $1',
      [name],
    );
    throw refuse({ kind: 'held', holder: held[0]?.holder ?? null });
  }
  const lost = new AbortController();
  let deadline = asked + ttlMs;
  let timer: NodeJS.Timeout;
  const renew = async (): Promise<void> => {
    const started = performance.now();
    try {
      const { rowCount } = await pool.query(
        `UPDATE bac.leases SET expires_at = now() + $4 * interval '1 millisecond'
         WHERE name = $1 AND holder = $2 AND token = $3`,
        [name, holder, token, ttlMs],
      );
      if (rowCount === 0) {
        lost.abort(refuse({ kind: 'lost' }));
        return;
      }
      deadline = started + ttlMs;
    } catch (cause) {
      if (performance.now() > deadline - ttlMs / 3) {
        lost.abort(refuse({ kind: 'late' }, cause));
        return;
      }
    }
    schedule();
  };
  const schedule = (): void => {
    if (!lost.signal.aborted) timer = setTimeout(renew, ttlMs / 3);
  };
  schedule();
  return {
    token: Number(token),
    signal: lost.signal,
    async release() {
      clearTimeout(timer);
      lost.abort(refuse({ kind: 'released' }));
      await pool.query('DELETE FROM bac.leases WHERE name = $1 AND holder = $2 AND token = $3', [
        name,
        holder,
        token,
      ]);
    },
  };
}
