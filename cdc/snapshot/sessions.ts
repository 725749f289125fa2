import type { Duplex } from 'node:stream';
import pg from 'pg';
import { currentUrl, hostCount, isHostTrouble, pooledClient, sessionSql } from '../catalog/index.ts';
import { bulkStream } from './bulk-socket.ts';

/**
 * A long read must not be cut short by limits meant for applications, nor wait for a lock for long.
 * Compiling the expressions of each range takes longer than it saves. Not every server has all of these.
 */
const LIMITS_SQL = `SET lock_timeout = '2s';
SELECT set_config(name, CASE name WHEN 'jit' THEN 'off' ELSE '0' END, false) FROM pg_settings WHERE name IN
  ('jit', 'statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')`;

export interface Sessions {
  /** Runs `work` with a session of its own; waits while all are busy. A failure closes the session. */
  use<T>(work: (client: pg.PoolClient) => Promise<T>, signal?: AbortSignal): Promise<T>;
  close(): Promise<void>;
}

/** At most `max` sessions on the source with the settings snapshots need; idle ones are closed after a while. */
export function openSessions(url: string, max: number): Sessions {
  const hosts = hostCount(url);
  const pool = new pg.Pool({
    ...(hosts > 1 ? { Client: pooledClient(url) } : { connectionString: currentUrl(url) }),
    stream: bulkStream as () => Duplex,
    max,
    idleTimeoutMillis: 5_000,
    connectionTimeoutMillis: 0,
    allowExitOnIdle: true,
  });
  pool.on('error', () => undefined); // an idle session broke: the pool has dropped it already
  const prepared = new WeakSet<pg.PoolClient>();
  const connect = async (): Promise<pg.PoolClient> => {
    for (let left = hosts; ; left -= 1) {
      try {
        return await pool.connect();
      } catch (error) {
        if (left <= 1 || !isHostTrouble(error)) throw error;
      }
    }
  };
  return {
    async use(work, signal) {
      signal?.throwIfAborted();
      const client = await connect();
      let failure: Error | undefined = new Error('aborted');
      // A session that breaks while nothing runs on it would otherwise end the process.
      const ignore = (): void => undefined;
      client.on('error', ignore);
      const cut = (): void => {
        client.connection?.stream.destroy();
      };
      signal?.addEventListener('abort', cut, { once: true });
      try {
        signal?.throwIfAborted();
        if (!prepared.has(client)) {
          await client.query(sessionSql());
          await client.query(LIMITS_SQL);
          prepared.add(client);
        }
        const result = await work(client);
        failure = undefined;
        return result;
      } catch (error) {
        signal?.throwIfAborted();
        throw error;
      } finally {
        signal?.removeEventListener('abort', cut);
        client.off('error', ignore);
        if (failure) client.on('error', ignore);
        client.release(failure);
      }
    },
    close: () => pool.end(),
  };
}

/** Lets at most `max` jobs run at once, in the order they came. */
export function createGate(max: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= max) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}
