import { startSimulator } from '#apps';
import type { Role, RoleContext } from './context.ts';

/** Keeps the demo business alive; later also pipelines, syncs and alerts. */
export async function runWorker(context: RoleContext): Promise<Role> {
  const { settings, logger } = context;
  if (!settings.demo || settings.config.demo.rate === 0) return { stats: () => ({}), stop: async () => {} };
  const { seed, rate } = settings.config.demo;
  const simulator = startSimulator({ url: settings.postgresUrl, seed, rate, logger });
  return { stats: () => simulator.stats(), stop: () => simulator.stop() };
}
