import { createSink, type SinkStats } from '#clickhouse';
import type { Role, RoleContext } from './context.ts';
import { counter, type Figure, gauge } from './figures.ts';

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
  return { stats: () => sink.stats(), figures: () => figures(sink.stats()), stop: () => sink.stop() };
}

const figures = (stats: SinkStats): Figure[] => [
  counter('bac_sink_rows_total', 'Rows stored in the warehouse since the process began', stats.rows),
  counter('bac_sink_batches_total', 'Batches stored', stats.batches),
  counter('bac_sink_dead_letters_total', 'Events put aside as dead letters', stats.deadLetters),
  gauge(
    'bac_sink_waiting_events',
    'Events known to wait in this sink’s partitions of the log',
    stats.waiting,
  ),
  gauge('bac_sink_last_insert_seconds', 'How long the last insert took', stats.lastInsertMs / 1000),
  gauge(
    'bac_sink_flush_interval_seconds',
    'Present time between two inserts into a table',
    stats.intervalMs / 1000,
  ),
  gauge(
    'bac_sink_tables_failing',
    'Tables whose last attempt failed',
    Object.values(stats.tables).filter((table) => table.error !== null).length,
  ),
];
