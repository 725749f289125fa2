import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ChangeLog, LogRecord } from '../../ports/change-log.ts';
import { until } from './harness.ts';

const PARTITIONS = 2;

type Step =
  | { readonly type: 'append'; readonly counts: readonly (readonly [number, number])[] }
  | { readonly type: 'read'; readonly partition: number; readonly from: number; readonly most: number }
  | { readonly type: 'consume'; readonly records: number; readonly failures: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    type: fc.constant('append' as const),
    counts: fc.array(fc.tuple(fc.nat(PARTITIONS - 1), fc.nat(60)), { minLength: 1, maxLength: 4 }),
  }),
  fc.record({
    type: fc.constant('read' as const),
    partition: fc.nat(PARTITIONS - 1),
    from: fc.nat(200),
    most: fc.integer({ min: 1, max: 100 }),
  }),
  fc.record({
    type: fc.constant('consume' as const),
    records: fc.integer({ min: 1, max: 50 }),
    failures: fc.nat(2),
  }),
);

const show = (record: LogRecord): string => `${record.key}/${record.value}`;

/** Any interleaving of append, read and consume gives what a plain list would give. */
export function modelTests(log: () => ChangeLog, runs: number): void {
  test('append, read and consume agree with a list in memory', async () => {
    let topics = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        topics += 1;
        const topic = `model${topics}`;
        await log().ensureTopic(topic, { partitions: PARTITIONS });
        const model: LogRecord[][] = Array.from({ length: PARTITIONS }, () => []);
        const consumed: string[][] = Array.from({ length: PARTITIONS }, () => []);
        let made = 0;
        for (const one of steps) {
          if (one.type === 'append') {
            const batches = one.counts.map(([partition, count]) => ({
              topic,
              partition,
              records: Array.from({ length: count }, () => {
                made += 1;
                return {
                  key: made % 5 === 0 ? null : Buffer.from(`k${made}`),
                  value: made % 7 === 0 ? null : Buffer.from('v'.repeat((made * 37) % 3000) + made),
                };
              }),
            }));
            await log().append(batches);
            for (const { partition, records } of batches) model[partition]!.push(...records);
          } else if (one.type === 'read') {
            const read = await log().read(topic, one.partition, one.from, one.most);
            const expected = model[one.partition]!.slice(one.from, one.from + one.most);
            expect(read.map(show)).toEqual(expected.map(show));
          } else {
            let failures = one.failures;
            const consumer = log().consume({
              group: topic,
              topics: [topic],
              maxBatchRecords: one.records,
              onError: () => undefined,
              onBatch: async ({ partition, records }) => {
                failures -= 1;
                if (failures >= 0) throw new Error('as asked');
                consumed[partition]!.push(...records.map(show));
              },
            });
            await until(
              () => model.every((records, partition) => consumed[partition]!.length >= records.length),
              'the group had caught up',
            );
            await consumer.stop();
          }
        }
        for (const [partition, records] of model.entries()) {
          expect(consumed[partition]!).toEqual(records.map(show).slice(0, consumed[partition]!.length));
        }
        await log().deleteTopic(topic);
      }),
      { numRuns: runs, endOnFailure: true },
    );
  }, 240_000);
}
