import { HubError } from '#kernel';
import type { Role, RoleContext } from './context.ts';
import { counter, type Figure, gauge } from './figures.ts';
import { renewLogLease } from './log-lease.ts';
import type { FromRole } from './messages.ts';

const SAMPLE_MS = 1_000;

export interface Reporting {
  /** Rejects with LOG_NOT_SHARED when processes of the hub have turned to another log meanwhile. */
  readonly lost: Promise<never>;
  stop(): Promise<void>;
}

/**
 * Every second: writes the role's figures, memory (bytes) and processor use (cores) to
 * `bac.role_stats`, renews the hub's hold of its log, and tells the supervisor the figures for
 * `/metrics`. A lost state database costs samples, nothing else.
 */
export function reportStats(context: RoleContext, name: string, role: Role): Reporting {
  const { pool, settings, logger } = context;
  const startedAt = new Date().toISOString();
  let cpu = process.cpuUsage();
  let at = performance.now();
  let writing: Promise<unknown> = Promise.resolve();
  let busy = false;
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => {}); // the caller may not be listening yet
  const write = async (data: unknown): Promise<void> => {
    await pool.query(
      `INSERT INTO bac.role_stats (role, instance, data) VALUES ($1, $2, $3)
       ON CONFLICT (role, instance) DO UPDATE SET data = $3, updated_at = now()`,
      [name, settings.instance, JSON.stringify(data)],
    );
    if (!(await renewLogLease(pool, settings.logIdentity)))
      lost.reject(new HubError('LOG_NOT_SHARED', 'Other processes of this hub have turned to another log.'));
  };
  const sample = (): void => {
    const used = process.cpuUsage(cpu);
    const now = performance.now();
    const cores = (used.user + used.system) / 1000 / (now - at);
    cpu = process.cpuUsage();
    at = now;
    const data = {
      pid: process.pid,
      startedAt,
      rssBytes: process.memoryUsage.rss(),
      cpuCores: cores,
      ...Object(role.stats()),
    };
    const message: FromRole = { type: 'figures', figures: [...own(data), ...(role.figures?.() ?? [])] };
    if (process.connected) process.send?.(message);
    // The supervisor hears of a role that lives even while the database hangs.
    if (busy) return;
    busy = true;
    writing = write(data)
      .catch((error: Error) => logger.debug({ error: error.message }, 'figures not written'))
      .finally(() => {
        busy = false;
      });
  };
  const timer = setInterval(sample, SAMPLE_MS);
  sample();
  return {
    lost: lost.promise,
    async stop() {
      clearInterval(timer);
      await writing;
      await pool
        .query('DELETE FROM bac.role_stats WHERE role = $1 AND instance = $2', [name, settings.instance])
        .catch((error: Error) => logger.debug({ error: error.message }, 'figures not cleared'));
    },
  };
}

const own = (data: { rssBytes: number; cpuCores: number }): Figure[] => [
  gauge('bac_role_memory_bytes', 'Resident memory of the role’s process', data.rssBytes),
  gauge('bac_role_cpu_cores', 'Processor use over the last second', data.cpuCores),
  counter('bac_role_cpu_seconds_total', 'Processor time used', cpuSeconds()),
];

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
