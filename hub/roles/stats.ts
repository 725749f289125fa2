import type { Role, RoleContext } from './context.ts';

const SAMPLE_MS = 1_000;

/**
 * Writes the role's figures, memory (bytes) and processor use (cores) to `bac.role_stats` every
 * second. A lost state database costs samples, nothing else.
 */
export function reportStats(context: RoleContext, name: string, role: Role): { stop(): Promise<void> } {
  const { pool, settings, logger } = context;
  const startedAt = new Date().toISOString();
  let cpu = process.cpuUsage();
  let at = performance.now();
  let writing: Promise<unknown> = Promise.resolve();
  let busy = false;
  const sample = (): void => {
    if (busy) return;
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
    busy = true;
    writing = pool
      .query(
        `INSERT INTO bac.role_stats (role, instance, data) VALUES ($1, $2, $3)
         ON CONFLICT (role, instance) DO UPDATE SET data = $3, updated_at = now()`,
        [name, settings.instance, JSON.stringify(data)],
      )
      .catch((error: Error) => logger.debug({ error: error.message }, 'figures not written'))
      .finally(() => {
        busy = false;
      });
  };
  const timer = setInterval(sample, SAMPLE_MS);
  sample();
  return {
    async stop() {
      clearInterval(timer);
      await writing;
      await pool
        .query('DELETE FROM bac.role_stats WHERE role = $1 AND instance = $2', [name, settings.instance])
        .catch((error: Error) => logger.debug({ error: error.message }, 'figures not cleared'));
    },
  };
}
