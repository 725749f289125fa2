import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Appended, silentLogger } from '#kernel';
import { eventually } from '#tests/eventually';
import { testKafka } from '#tests/kafka';
import { openKafkaLog } from './index.ts';

const PARTITIONS = 6;

test('three brokers, two killed with -9 in turn under load: no acknowledged record is lost, none comes out of order', async () => {
  await using kafka = await testKafka({ brokers: 3 });
  const options = { brokers: kafka.bootstrap, sessionMs: 4000, log: silentLogger() };
  const log = await openKafkaLog(options);
  const reader = await openKafkaLog(options);
  await log.ensureTopic('load', { partitions: PARTITIONS });
  const seen = Array.from({ length: PARTITIONS }, () => [] as number[]);
  const consume = () =>
    reader.consume({
      group: 'g',
      topics: ['load'],
      onBatch: async ({ partition, records }) => {
        for (const { value } of records) seen[partition]!.push(Number(value));
      },
    });
  const consumers = [consume(), consume()];
  await Promise.all(consumers.map(({ ready }) => ready));

  const acknowledged = new Array<number>(PARTITIONS).fill(0);
  let writing = true;
  const writers = acknowledged.map(async (_, partition) => {
    while (writing) {
      const from = acknowledged[partition]!;
      const records = Array.from({ length: 20 }, (__, index) => ({
        key: Buffer.from(String(partition)),
        value: Buffer.from(String(from + index)),
      }));
      // Two under way at once: the second must not overtake the first.
      await Promise.all([
        log.append([{ topic: 'load', partition, records: records.slice(0, 10) }]),
        log.append([{ topic: 'load', partition, records: records.slice(10) }]),
      ]);
      acknowledged[partition] = from + 20;
      // A steady load rather than all that two cores can do: brokers have to start beside it.
      await pause(5);
    }
  });
  const progressed = async (): Promise<void> => {
    const before = [...acknowledged];
    await eventually(
      async () =>
        acknowledged.every((count, partition) => count > before[partition]! + 100) ? true : undefined,
      60_000,
      () => `writers stand still: ${before} ${acknowledged}`,
    );
  };
  await progressed();
  for (const broker of [1, 2]) {
    const before = [...acknowledged];
    await kafka.kill(broker);
    // Nothing to append is told the end by whoever leads now.
    const ends = await Promise.all(
      before.map((_, partition) => log.append([{ topic: 'load', partition, records: [] }])),
    );
    for (const [{ end, partition }] of ends as [Appended][])
      expect(end).toBeGreaterThanOrEqual(before[partition]!);
    await progressed();
    await kafka.restart(broker);
    await progressed();
  }
  writing = false;
  await Promise.all(writers);
  await eventually(
    async () => {
      const lag = await reader.lag('g');
      return lag.length === PARTITIONS && lag.every((one) => one.lag === 0) ? true : undefined;
    },
    60_000,
    () => 'the group did not catch up',
  );
  await Promise.all(consumers.map((consumer) => consumer.stop()));

  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    const stored: number[] = [];
    for (let offset = 0; ; ) {
      const records = await reader.read('load', partition, offset, 5000);
      if (records.length === 0) break;
      for (const { value } of records) stored.push(Number(value));
      offset = records.at(-1)!.offset + 1;
    }
    const expected = Array.from({ length: acknowledged[partition]! }, (_, index) => index);
    // Idempotent: a repeat after a failover is neither stored twice nor overtaken.
    expect(stored).toEqual(expected);
    // Delivered at least once, without a gap.
    expect([...new Set(seen[partition])]).toEqual(expected);
  }
  await log.close();
  await reader.close();
});
