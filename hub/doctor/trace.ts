import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Pool } from 'pg';
import {
  type ChangeLog,
  chTable,
  HubError,
  SINK_GROUP,
  type TableEntry,
  type Warehouse,
  warehouseTableOf,
} from '#kernel';
import { forgetOldProbes, writeProbe } from './probe.ts';
import type { Hop } from './types.ts';

export interface TraceOptions {
  readonly pool: Pool;
  readonly log: ChangeLog;
  readonly warehouse: Warehouse;
  readonly probe: TableEntry;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly report: (hop: Hop) => void;
}

const POLL_MS = 5;

/**
 * Follows one row: committed at the source, durable in the log, visible in ClickHouse (FINAL),
 * acknowledged by the sink. Resolves true if it came through; a hop that does not come within the
 * timeout is reported with where to look, and the trace ends there.
 */
export async function traceRow(options: TraceOptions): Promise<boolean> {
  const { pool, log, warehouse, probe, report } = options;
  options.signal.throwIfAborted();
  const id = randomUUID();
  const late = AbortSignal.timeout(options.timeoutMs);
  const signal = AbortSignal.any([options.signal, late]);
  const arrived = Promise.withResolvers<{ partition: number; offset: number; at: number }>();
  const consumer = log.consume({
    group: null,
    topics: [probe.topic],
    from: 'end',
    onBatch: async (batch) => {
      for (const record of batch.records) {
        if (record.value?.includes(id)) {
          arrived.resolve({ partition: batch.partition, offset: record.offset, at: performance.now() });
        }
      }
    },
  });
  try {
    await consumer.ready;
    const start = performance.now();
    let last = start;
    const hop = (name: string, at = performance.now()): void => {
      report({ type: 'hop', name, ok: true, ms: round(at - last), totalMs: round(at - start) });
      last = at;
    };
    const lost = (name: string, message: string, next: string): false => {
      const now = performance.now();
      report({
        type: 'hop',
        name,
        ok: false,
        ms: round(now - last),
        totalMs: round(now - start),
        message,
        next,
      });
      return false;
    };

    await writeProbe(pool, id);
    hop('committed at the source');

    const record = await until(arrived.promise, signal);
    if (!record) {
      return lost(
        'in the log',
        `Nothing arrived on ${probe.topic} within ${options.timeoutMs} ms.`,
        `Is the capture role up, and source "${probe.source}" streaming? See \`bac status\`.`,
      );
    }
    hop('read by capture, durable in the log', record.at);

    const { database, table } = warehouseTableOf(probe);
    const visible = await poll(signal, async () => {
      const rows = await warehouse.query(
        `SELECT 1 FROM ${chTable(database, table)} FINAL WHERE id = {id:String} AND _deleted = 0`,
        { params: { id }, signal },
      );
      return rows.length > 0;
    });
    if (!visible) {
      return lost(
        'visible in ClickHouse',
        `The row is in the log but not in ${database}.${table} after ${options.timeoutMs} ms.`,
        'Is the sink role up? See `bac status` and `bac deadletters list`.',
      );
    }
    hop('visible in ClickHouse (FINAL)');

    const acknowledged = await poll(signal, async () =>
      (await log.lag(SINK_GROUP)).some(
        (part) =>
          part.topic === probe.topic && part.partition === record.partition && part.committed > record.offset,
      ),
    );
    if (!acknowledged) {
      return lost(
        'acknowledged by the sink',
        'The row is visible, but the sink has not committed its offset.',
        'Look at the sink’s log; after a restart it will read the row again, which does no harm.',
      );
    }
    hop('acknowledged by the sink');
    await forgetOldProbes(pool);
    return true;
  } finally {
    await consumer.stop();
  }
}

const round = (ms: number): number => Math.round(ms * 10) / 10;

async function until<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | null> {
  const { promise: ended, resolve } = Promise.withResolvers<null>();
  const end = (): void => resolve(null);
  if (signal.aborted) return null;
  signal.addEventListener('abort', end, { once: true });
  try {
    return await Promise.race([promise, ended]);
  } finally {
    signal.removeEventListener('abort', end);
  }
}

/** The warehouse and the sink's offsets give no event to wait for: ask every few milliseconds. */
async function poll(signal: AbortSignal, ask: () => Promise<boolean>): Promise<boolean> {
  while (!signal.aborted) {
    try {
      if (await ask()) return true;
    } catch (error) {
      if (signal.aborted) return false;
      if (!(error instanceof HubError) || error.disposition !== 'transient') throw error;
    }
    await wait(POLL_MS);
  }
  return false;
}
