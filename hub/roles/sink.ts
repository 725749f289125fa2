import { createSink } from '#clickhouse';
import type { Role, RoleContext } from './context.ts';

/** Carries the log into the warehouse. */
export async function runSink(context: RoleContext): Promise<Role> {
  const { pool, log, registry, warehouse, logger, settings } = context;
  const sink = createSink({
    pool,
    log,
    registry,
    warehouse,
    logger,
    config: settings.config.sink,
    instance: settings.instance,
  });
  await sink.start();
  return { stats: () => sink.stats(), stop: () => sink.stop() };
}
