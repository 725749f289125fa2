import type { Pool } from 'pg';
import { HubError } from '#kernel';

export interface Lease {
  /** Grows with each change of holder. */
  readonly token: number;
  /** Aborts, with CAPTURE_FENCED as reason, when the lease is lost or can no longer be renewed in time. */
  readonly signal: AbortSignal;
  release(): Promise<void>;
}

export interface LeaseOptions {
  readonly pool: Pool;
  readonly name: string;
  readonly holder: string;
  /** Life of the lease without renewal. Default 6 s; renewed every third of it. */
  readonly ttlMs?: number;
}

const fenced = (message: string): HubError =>
  new HubError('CAPTURE_FENCED', message, {
    disposition: 'transient',
    next: 'Nothing: this reader stands by and takes over when the other one ends.',
  });

/**
 * Takes the lease if it is free, expired, or this holder's own (a restarted process takes it back at
 * once; the process before it is fenced by its older token). Expiry is by the database's clock.
 * Errors: CAPTURE_FENCED while another holder has it.
 */
export async function acquireLease({ pool, name, holder, ttlMs = 6000 }: LeaseOptions): Promise<Lease> {
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
    throw fenced(`${held[0]?.holder ?? 'Another reader'} reads this source.`);
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
        lost.abort(fenced('Another reader has taken this source over.'));
        return;
      }
      deadline = started + ttlMs;
    } catch (cause) {
      if (performance.now() > deadline - ttlMs / 3) {
        lost.abort(
          new HubError('CAPTURE_FENCED', 'The lease could not be renewed in time.', {
            cause,
            disposition: 'transient',
          }),
        );
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
      lost.abort(fenced('The lease was given back.'));
      await pool.query('DELETE FROM bac.leases WHERE name = $1 AND holder = $2 AND token = $3', [
        name,
        holder,
        token,
      ]);
    },
  };
}
