import { type CaptureStats, createCapture } from '#cdc';
import { createSnapshotTarget } from '#clickhouse';
import type { Role, RoleContext } from './context.ts';
import { counter, type Figure, gauge } from './figures.ts';

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
    connect: settings.config.connect,
  });
  await capture.start();
  return {
    stats: () => capture.stats(),
    figures: () => figures(capture.stats()),
    stop: () => capture.stop(),
  };
}

function figures(stats: CaptureStats): Figure[] {
  const sources = Object.values(stats.sources);
  const sum = (of: (source: (typeof sources)[number]) => number): number =>
    sources.reduce((total, source) => total + of(source), 0);
  const failing = sources.filter((source) => source.state === 'failed' || source.alarm === 'alarm');
  return [
    gauge(
      'bac_capture_sources',
      'Sources this process reads; those another one reads are not counted',
      sources.filter((source) => source.state !== 'standby').length,
    ),
    gauge('bac_capture_sources_failing', 'Sources that failed or whose slot lag alarms', failing.length),
    counter(
      'bac_capture_events_total',
      'Change events appended to the log',
      sum((source) => source.rows),
    ),
    counter(
      'bac_capture_transactions_total',
      'Source transactions read',
      sum((source) => source.transactions),
    ),
    counter(
      'bac_capture_bytes_total',
      'Bytes of events appended to the log',
      sum((source) => source.bytes),
    ),
    gauge(
      'bac_capture_slot_lag_bytes',
      'Largest lag of a slot behind its source',
      Math.max(0, ...sources.map((source) => source.lagBytes ?? 0)),
    ),
  ];
}
