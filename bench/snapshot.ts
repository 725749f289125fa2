import { median } from './support/figures.ts';
import { createOrders, ORDER_ROW } from './support/orders.ts';
import { openRig, peakMemoryMiB } from './support/rig.ts';
import { captureBench } from './support/source.ts';

export interface SnapshotOptions {
  readonly rows?: number;
  readonly runs?: number;
}

/** Snapshot of one orders-like table, beside ClickHouse's own postgresql() in the same engine and run. */
export async function benchSnapshot({ rows = 5_000_000, runs = 3 }: SnapshotOptions = {}): Promise<object> {
  const results = [];
  for (let run = 0; run < runs; run += 1) results.push(await once(rows, run));
  return {
    benchmark: 'snapshot',
    rows,
    seconds: median(results.map((result) => result.seconds)),
    postgresqlFunctionSeconds: median(results.map((result) => result.postgresqlFunctionSeconds)),
    runs: results,
  };
}

async function once(rows: number, run: number) {
  await using rig = await openRig();
  await rig.pool.query('CREATE SCHEMA bench');
  await rig.pool.query(createOrders('orders'));
  await rig.pool.query(
    `INSERT INTO bench.orders SELECT ${ORDER_ROW} FROM generate_series(1::bigint, $1::bigint) g`,
    [rows],
  );
  await rig.pool.query('VACUUM ANALYZE bench.orders');
  await rig.pool.query('CHECKPOINT');
  const native = async (): Promise<number> => {
    await rig.start('sink');
    const capture = await rig.start('capture');
    const started = performance.now();
    await captureBench(rig, 1);
    const seconds = (performance.now() - started) / 1000;
    memory = peakMemoryMiB(capture.pid);
    return seconds;
  };
  let memory: number | null = null;
  // Which one goes first alternates, so that neither always has the warm cache.
  const [seconds, other] =
    run % 2 === 0
      ? [await native(), await postgresqlFunction(rig)]
      : await Promise.all([postgresqlFunction(rig)]).then(
          async ([first]) => [await native(), first] as const,
        );
  const [count] = await rig.warehouse.query<{ n: string }>(
    'SELECT toString(count()) AS n FROM bench.bench_orders FINAL WHERE _deleted = 0',
  );
  if (Number(count?.n) !== rows) throw new Error(`warehouse has ${count?.n} rows of ${rows}`);
  return {
    seconds: Number(seconds.toFixed(2)),
    postgresqlFunctionSeconds: Number(other.toFixed(2)),
    captureMemoryMiB: memory,
  };
}

async function postgresqlFunction(rig: Awaited<ReturnType<typeof openRig>>): Promise<number> {
  const { hostname, port, password, username } = new URL(rig.url);
  await rig.warehouse.command(`CREATE TABLE default.copied (id Int64, tenant_id Int32, customer_id Int64, status String, placed_at DateTime64(6, 'UTC'),
    total Decimal(14, 2), quantity Int32, paid Bool, note Nullable(String), address Nullable(String)) ENGINE = ReplacingMergeTree ORDER BY id`);
  const started = performance.now();
  await rig.warehouse.command(
    `INSERT INTO default.copied SELECT * FROM postgresql('${hostname}:${port}', 'bac', 'orders', '${username}', '${password}', 'bench')`,
  );
  const seconds = (performance.now() - started) / 1000;
  await rig.warehouse.command('DROP TABLE default.copied');
  return seconds;
}
