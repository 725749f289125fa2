import { createCapture } from '#cdc';
import { createSnapshotTarget } from '#clickhouse';
import type { Role, RoleContext } from './context.ts';

/** Reads every source's changes into the log and lays down snapshots. */
export async function runCapture(context: RoleContext): Promise<Role> {
  const { pool, log, registry, warehouse, logger, settings } = context;
  const capture = createCapture({
    pool,
    log,
    registry,
    target: createSnapshotTarget({ warehouse, registry, logger, history: settings.config.sink.history }),
    logger,
    config: settings.config.capture,
    partitions: settings.config.log.partitions,
    retentionMs: settings.config.log.retentionHours * 3_600_000,
    retentionBytes: settings.config.log.retentionBytes,
    instance: settings.instance,
  });
  await capture.start();
  return { stats: () => capture.stats(), stop: () => capture.stop() };
}
