import { expect, test } from 'vitest';
import type { ChangeLog, DeliveredBatch } from '../../ports/change-log.ts';
import { gate, numbers, text, until } from './harness.ts';

const valuesOf = (batch: DeliveredBatch): string[] => batch.records.map((record) => String(record.value));

/** What one consumer gets, and when. */
export function deliveryTests(log: () => ChangeLog): void {
  test('a group gets everything once, in order, and its offset moves only when the handler has resolved', async () => {
    await log().ensureTopic('t', { partitions: 1 });
    await log().append([{ topic: 't', partition: 0, records: numbers(0, 10) }]);
    const held = gate();
    const seen: string[] = [];
    const done: number[] = [];
    const consumer = log().consume({
      group: 'g',
      topics: ['t'],
      onDone: ({ topic, partition }, position) => {
        expect({ topic, partition }).toEqual({ topic: 't', partition: 0 });
        done.push(position);
      },
      onBatch: async (batch) => {
        seen.push(...valuesOf(batch));
        await held.opened;
      },
    });
    await consumer.ready;
    await until(() => seen.length === 10, 'ten records had come');
    const before = await log().lag('g');
    expect(before.reduce((sum, { lag }) => sum + lag, 0)).toBe(before.length === 0 ? 0 : 10);
    expect(done).toEqual([]);
    held.open();
    await until(async () => (await log().lag('g'))[0]?.lag === 0, 'the offset was committed');
    await log().append([{ topic: 't', partition: 0, records: numbers(10, 5) }]);
    await until(() => seen.length === 15, 'five more had come');
    await until(() => done.at(-1) === 15, 'all was done');
    await consumer.stop();
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(seen).toEqual(Array.from({ length: 15 }, (_, index) => String(index)));
    const again: string[] = [];
    const next = log().consume({
      group: 'g',
      topics: ['t'],
      onBatch: async (batch) => void again.push(...valuesOf(batch)),
    });
    await next.ready;
    await log().append([{ topic: 't', partition: 0, records: [text('last')] }]);
    await until(() => again.length > 0, 'the last record had come');
    await next.stop();
    expect(again).toEqual(['last']);
  });

  test('a rejected batch comes again after a back-off while other partitions go on; nudge ends the wait', async () => {
    await log().ensureTopic('t', { partitions: 2 });
    const tries: string[][] = [];
    const errors: unknown[] = [];
    let good = 0;
    let broken = true;
    const consumer = log().consume({
      group: 'g',
      topics: ['t'],
      onError: (error) => errors.push(error),
      onBatch: async (batch) => {
        if (batch.partition === 1) {
          good += batch.records.length;
          return;
        }
        tries.push(valuesOf(batch));
        if (broken) throw new Error('not yet');
      },
    });
    await consumer.ready;
    await log().append([
      { topic: 't', partition: 0, records: numbers(0, 3) },
      { topic: 't', partition: 1, records: numbers(0, 3) },
    ]);
    await until(() => tries.length >= 6 && good === 3, 'the handler had failed six times');
    expect(errors.length).toBeGreaterThanOrEqual(6);
    for (const values of tries) expect(values.slice(0, 3)).toEqual(['0', '1', '2']);
    await log().append([{ topic: 't', partition: 1, records: numbers(3, 1) }]);
    await until(() => good === 4, 'the other partition had gone on');
    broken = false;
    const failed = tries.length;
    const at = performance.now();
    consumer.nudge('t');
    await until(() => tries.length > failed, 'the batch had come again');
    // The back-off after six failures is 1.6 s or more.
    expect(performance.now() - at).toBeLessThan(1000);
    await until(async () => (await log().lag('g')).every(({ lag }) => lag === 0), 'all was committed');
    await consumer.stop();
  });

  test('batches respect their bounds, and grow with what is waiting', async () => {
    await log().ensureTopic('t', { partitions: 1 });
    await log().append([{ topic: 't', partition: 0, records: numbers(0, 25) }]);
    const sizes: number[] = [];
    const few = log().consume({
      group: 'records',
      topics: ['t'],
      maxBatchRecords: 10,
      onBatch: async (batch) => void sizes.push(batch.records.length),
    });
    await until(() => sizes.reduce((sum, size) => sum + size, 0) === 25, 'all had come');
    await few.stop();
    expect(Math.max(...sizes)).toBe(10);

    await log().ensureTopic('bytes', { partitions: 1 });
    const records = [100, 100, 5000, 100, 100, 100].map((size) => text('x'.repeat(size)));
    await log().append([{ topic: 'bytes', partition: 0, records }]);
    const bytes: number[][] = [];
    const small = log().consume({
      group: 'bytes',
      topics: ['bytes'],
      maxBatchBytes: 250,
      onBatch: async (batch) => void bytes.push(batch.records.map((record) => record.value!.length)),
    });
    await until(() => bytes.flat().length === 6, 'all had come');
    await small.stop();
    expect(bytes.find((batch) => batch.includes(5000))).toEqual([5000]);
    for (const batch of bytes) if (batch.length > 1) expect(batch.length).toBeLessThanOrEqual(2);

    await log().ensureTopic('grow', { partitions: 1 });
    const held = gate();
    const grown: DeliveredBatch[] = [];
    const growing = log().consume({
      group: 'grow',
      topics: ['grow'],
      onBatch: async (batch) => {
        grown.push(batch);
        await held.opened;
      },
    });
    await log().append([{ topic: 'grow', partition: 0, records: numbers(0, 1) }]);
    await until(() => grown.length === 1, 'the first had come');
    for (let index = 1; index < 20; index += 1) {
      await log().append([{ topic: 'grow', partition: 0, records: numbers(index, 1) }]);
    }
    held.open();
    await until(() => grown.flatMap(valuesOf).length === 20, 'all had come');
    await growing.stop();
    expect(grown.length).toBeLessThanOrEqual(3);
    expect(grown.at(-1)!.end - 1).toBe(grown.at(-1)!.records.at(-1)!.offset);
  });

  test('one call at a time per partition, at most `concurrency` at once', async () => {
    await log().ensureTopic('t', { partitions: 8 });
    const running = new Map<number, number>();
    let most = 0;
    let twice = false;
    let count = 0;
    const consumer = log().consume({
      group: 'g',
      topics: ['t'],
      concurrency: 3,
      maxBatchRecords: 5,
      onBatch: async ({ partition, records }) => {
        twice ||= (running.get(partition) ?? 0) > 0;
        running.set(partition, 1);
        most = Math.max(most, [...running.values()].filter((one) => one > 0).length);
        await new Promise((resolve) => setImmediate(resolve));
        running.set(partition, 0);
        count += records.length;
      },
    });
    for (let partition = 0; partition < 8; partition += 1) {
      await log().append([{ topic: 't', partition, records: numbers(0, 50) }]);
    }
    await until(() => count === 400, 'all had come');
    await consumer.stop();
    expect(twice).toBe(false);
    expect(most).toBeLessThanOrEqual(3);
    expect(most).toBeGreaterThan(1);
  });

  test('a broadcast reader gets every partition from start or end, and commits nothing', async () => {
    await log().ensureTopic('t', { partitions: 2 });
    const both = (values: number): Promise<unknown> =>
      log().append([0, 1].map((partition) => ({ topic: 't', partition, records: numbers(values, 1) })));
    await both(1);
    const start: string[] = [];
    const end: string[] = [];
    const consumers = [
      log().consume({ group: null, topics: ['t'], onBatch: async (b) => void start.push(...valuesOf(b)) }),
      log().consume({
        group: null,
        topics: ['t'],
        from: 'end',
        onBatch: async (b) => void end.push(...valuesOf(b)),
      }),
    ];
    await Promise.all(consumers.map((consumer) => consumer.ready));
    expect(consumers[0]!.assignment()).toHaveLength(2);
    await both(2);
    await until(() => start.length === 4 && end.length === 2, 'both readers had their records');
    await Promise.all(consumers.map((consumer) => consumer.stop()));
    expect(start.sort()).toEqual(['1', '1', '2', '2']);
    expect(end).toEqual(['2', '2']);
  });

  test('from end skips what is old, but nothing of topics and partitions that come later', async () => {
    await log().ensureTopic('p.old', { partitions: 1 });
    await log().append([{ topic: 'p.old', partition: 0, records: numbers(0, 3) }]);
    const seen: string[] = [];
    const consumer = log().consume({
      group: 'g',
      topics: [{ prefix: 'p.' }],
      from: 'end',
      onBatch: async (batch) => void seen.push(...valuesOf(batch).map((value) => `${batch.topic}:${value}`)),
    });
    await consumer.ready;
    await log().ensureTopic('p.new', { partitions: 1 });
    await log().append([{ topic: 'p.new', partition: 0, records: numbers(0, 2) }]);
    await log().append([{ topic: 'p.old', partition: 0, records: numbers(3, 1) }]);
    await until(() => seen.length === 3, 'three records had come');
    await consumer.stop();
    expect(seen.sort()).toEqual(['p.new:0', 'p.new:1', 'p.old:3']);
  });

  test('stop waits for the running handler, aborts its signal after the grace, and does not commit what failed', async () => {
    await log().ensureTopic('t', { partitions: 1 });
    await log().append([{ topic: 't', partition: 0, records: numbers(0, 2) }]);
    let started = false;
    let aborted = false;
    const consumer = log().consume({
      group: 'g',
      topics: ['t'],
      onBatch: (_, signal) =>
        new Promise((_resolve, reject) => {
          started = true;
          signal.addEventListener('abort', () => {
            aborted = true;
            reject(signal.reason);
          });
        }),
    });
    await until(() => started, 'the handler ran');
    await consumer.stop(50);
    expect(aborted).toBe(true);
    const seen: string[] = [];
    const held = gate();
    const next = log().consume({
      group: 'g',
      topics: ['t'],
      onBatch: async (batch) => {
        await held.opened;
        seen.push(...valuesOf(batch));
      },
    });
    await next.ready;
    await until(async () => next.assignment().length === 1, 'the partition was assigned');
    const stopping = next.stop();
    held.open();
    await stopping;
    // Either the handler had begun, and was waited for, or nothing was committed.
    expect((await log().lag('g')).reduce((sum, { lag }) => sum + lag, 0)).toBe(seen.length === 2 ? 0 : 2);
  });
}
