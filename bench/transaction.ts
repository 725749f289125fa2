import { createOrders, ORDER_ROW } from './support/orders.ts';
import { openRig, peakMemoryMiB } from './support/rig.ts';
import { captureBench, currentLsn, waitForWatermark } from './support/source.ts';

export interface TransactionOptions {
  readonly rows?: number;
}

/** One transaction of 2,000,000 rows: time until queryable and the peak memory of capture and sink. */
export async function benchTransaction({ rows = 2_000_000 }: TransactionOptions = {}): Promise<object> {
  await using rig = await openRig();
  await rig.pool.query('CREATE SCHEMA bench');
  await rig.pool.query(createOrders('orders'));
  const sink = await rig.start('sink');
  const capture = await rig.start('capture');
  await captureBench(rig, 1);
  await rig.pool.query(
    `INSERT INTO bench.orders SELECT ${ORDER_ROW} FROM generate_series(1::bigint, $1::bigint) g`,
    [rows],
  );
  const until = await currentLsn(rig);
  const committed = performance.now();
  await waitForWatermark(rig, until);
  return {
    benchmark: 'transaction',
    rows,
    secondsAfterCommit: Number(((performance.now() - committed) / 1000).toFixed(1)),
    peakMemoryMiB: { capture: peakMemoryMiB(capture.pid), sink: peakMemoryMiB(sink.pid) },
  };
}
