import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { type Config, type HubError, userError } from '#kernel';
import { LOG_LEASE_SECONDS, renewLogLease } from '../roles/index.ts';
import type { StateFolder } from '../state/index.ts';
import { orAborted } from './wait.ts';

/** Rows of `bac.role_stats` this old belong to instances that are gone. */
const STALE = "interval '1 minute'";
const LOOK_AGAIN_MS = 500;

/**
 * Name of this process among all of the hub's, wherever they run: the configured one, else made from
 * the host's name, which containers do not share. Whoever holds a state folder alone keeps its name
 * over restarts, and so its leases; others of one host are told apart by their process id.
 */
export function instanceName(config: Config, folder: StateFolder | null, alone: boolean): string {
  if (config.instance !== undefined) return config.instance;
  const host = hostname().replace(/[^A-Za-z0-9._-]/g, '-') || 'host';
  return alone && folder ? `${host}-${folder.secret('instance').slice(0, 6)}` : `${host}-${process.pid}`;
}

/** Forgets the figures of instances that have not reported for a minute. */
export async function forgetStaleInstances(pool: Pool): Promise<void> {
  await pool.query(`DELETE FROM bac.role_stats WHERE updated_at < now() - ${STALE}`);
}

/** What tells one change log from another: every process of a hub must say the same. */
export function logIdentity(logDir: string): string {
  const file = join(logDir, 'identity');
  mkdirSync(logDir, { recursive: true });
  try {
    writeFileSync(file, randomBytes(8).toString('hex'), { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return `embedded:${readFileSync(file, 'utf8').trim()}`;
}

/**
 * Makes sure that all running processes of this hub use one log. The identity of the log in use is a
 * lease that each of its users renews, so another one can be used once the last of them is gone.
 * Errors: LOG_NOT_SHARED (user) after the life of a lease.
 */
export async function claimLog(pool: Pool, identity: string, signal: AbortSignal): Promise<void> {
  const until = performance.now() + (LOG_LEASE_SECONDS + 2) * 1000;
  while (!(await renewLogLease(pool, identity))) {
    if (performance.now() > until) throw await notShared(pool, identity);
    await orAborted(new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS)), signal);
  }
}

async function notShared(pool: Pool, identity: string): Promise<HubError> {
  const { rows } = await pool.query<{ holder: string }>("SELECT holder FROM bac.leases WHERE name = 'log'");
  const other = rows[0]?.holder ?? '';
  const kind = (text: string): string => (text.startsWith('embedded:') ? 'an embedded log' : 'Kafka');
  return userError(
    'LOG_NOT_SHARED',
    `Other processes of this hub use ${kind(other)}, and this one would use ${
      kind(other) === kind(identity) ? 'another one' : kind(identity)
    }: changes written by one would never reach the other.`,
    'Give all of them the same log: `log.kafka` for roles on several machines or in containers, or one shared state folder (BAC_STATE_DIR) on one machine.',
  );
}
