import { percentile } from './support/figures.ts';
import { createOrders, ORDER_ROW, TABLES } from './support/orders.ts';
import { openRig, peakMemoryMiB, type Rig } from './support/rig.ts';
import { captureBench } from './support/source.ts';

export interface FreshnessOptions {
  readonly rates?: readonly number[];
  readonly seconds?: number;
}

const ROWS_PER_COMMIT = 10;
/** Polling takes its share of the two cores; its interval is part of the figure. */
const POLL_MS = 30;

interface Commit {
  readonly table: number;
  readonly id: number;
  readonly at: number;
}

/** Steady row changes; from the return of COMMIT to the row's visibility in a ClickHouse query, by polling. */
export async function benchFreshness({
  rates = [1000, 5000],
  seconds = 60,
}: FreshnessOptions = {}): Promise<object> {
  const results = [];
  for (const rate of rates) results.push(await once(rate, seconds));
  return { benchmark: 'freshness', results };
}

async function once(rate: number, seconds: number) {
  await using rig = await openRig();
  await rig.pool.query('CREATE SCHEMA bench');
  for (const table of TABLES) await rig.pool.query(createOrders(table));
  const sink = await rig.start('sink');
  const capture = await rig.start('capture');
  await captureBench(rig, TABLES.length);
  return {
    ...(await measureFreshness(rig, rate, seconds)),
    peakMemoryMiB: { capture: peakMemoryMiB(capture.pid), sink: peakMemoryMiB(sink.pid) },
  };
}

/** The same on a rig whose tables stream already; `firstId` is above every id there is. */
export async function measureFreshness(rig: Rig, rate: number, seconds: number, firstId = 1) {
  const pending: Commit[][] = TABLES.map(() => []);
  const latencies: number[] = [];
  const writing = new AbortController();
  const watching = watch(rig, pending, latencies, writing.signal);
  const written = await write(rig, rate, seconds, pending, firstId);
  writing.abort();
  await watching;
  return {
    rowsPerSecond: rate,
    achievedRowsPerSecond: Math.round(written / seconds),
    commits: latencies.length,
    p50Ms: Math.round(percentile(latencies, 50)),
    p99Ms: Math.round(percentile(latencies, 99)),
    maxMs: Math.round(Math.max(...latencies)),
  };
}

async function write(
  rig: Rig,
  rate: number,
  seconds: number,
  pending: Commit[][],
  firstId: number,
): Promise<number> {
  const client = await rig.pool.connect();
  const started = performance.now();
  const every = (1000 * ROWS_PER_COMMIT) / rate;
  const next = TABLES.map(() => firstId);
  let written = 0;
  for (let commit = 0; commit * every < seconds * 1000; commit += 1) {
    const wait = started + commit * every - performance.now();
    if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait));
    const table = commit % TABLES.length;
    const from = next[table]!;
    await client.query(
      `INSERT INTO bench.${TABLES[table]} SELECT ${ORDER_ROW} FROM generate_series($1::bigint, $2::bigint) g`,
      [from, from + ROWS_PER_COMMIT - 1],
    );
    next[table] = from + ROWS_PER_COMMIT;
    pending[table]!.push({ table, id: from + ROWS_PER_COMMIT - 1, at: performance.now() });
    written += ROWS_PER_COMMIT;
  }
  client.release();
  return written;
}

/** One writer in key order per table: when the highest id is visible, so are all below. */
async function watch(rig: Rig, pending: Commit[][], latencies: number[], ended: AbortSignal): Promise<void> {
  const query = TABLES.map(
    (table, index) => `SELECT ${index} AS t, max(id) AS id FROM bench.bench_${table}`,
  ).join(' UNION ALL ');
  while (!ended.aborted || pending.some((queue) => queue.length > 0)) {
    const rows = await rig.warehouse.query<{ t: number; id: string }>(query);
    const now = performance.now();
    for (const { t, id } of rows) {
      const queue = pending[t]!;
      while (queue[0] && queue[0].id <= Number(id)) latencies.push(now - queue.shift()!.at);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
