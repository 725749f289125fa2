import { startSimulator } from '#apps';
import { createVerifySchedule } from '#cdc';
import { startAppsWork } from '../apps/index.ts';
import { startUpkeep } from '../identity/index.ts';
import type { Role, RoleContext } from './context.ts';
import { counter } from './figures.ts';

/**
 * Compares tables with their sources by schedule, does what apps do as time passes, sees to upkeep, and
 * keeps the demo business alive.
 */
export async function runWorker(context: RoleContext): Promise<Role> {
  const { settings, logger } = context;
  const { config, instance } = settings;
  const schedule = createVerifySchedule({ ...context, config: config.verify, instance });
  const { seed, rate } = config.demo;
  const simulator =
    settings.demo && rate > 0 ? startSimulator({ url: settings.postgresUrl, seed, rate, logger }) : null;
  schedule.start();
  const upkeep = startUpkeep({ ...context, config });
  const apps = await startAppsWork({
    ...context,
    postgresUrl: settings.postgresUrl,
    url: config.apps.url,
    allowPrivate: config.apps.webhooksToPrivate,
    retention: {
      notificationsDays: config.apps.keepNotificationsDays,
      deliveriesDays: config.apps.keepDeliveriesDays,
    },
  });
  return {
    stats: () => ({
      ...simulator?.stats(),
      verify: schedule.stats(),
      ...(apps ? { apps: apps.stats(), appsRevision: apps.revision() } : {}),
    }),
    figures: () => {
      const { verified, repaired, failed } = schedule.stats();
      return [
        counter('bac_verify_tables_total', 'Tables compared with their source by schedule', verified),
        counter('bac_verify_repaired_rows_total', 'Rows repaired by schedule', repaired),
        counter('bac_verify_failures_total', 'Comparisons that broke off', failed),
        counter(
          'bac_apps_automations_total',
          'Automations carried out because their time had come',
          apps?.stats().automations ?? 0,
        ),
        counter('bac_apps_webhooks_total', 'Attempts to deliver a webhook', apps?.stats().webhooks ?? 0),
      ];
    },
    async stop() {
      await apps?.stop();
      await upkeep.stop();
      await schedule.stop();
      await simulator?.stop();
    },
  };
}
