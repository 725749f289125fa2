import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HubError, type StoredRecord } from '#kernel';
import { type TestLog, testLog } from '#tests/log';

let under: TestLog;
beforeEach(async () => {
  under = await testLog();
});
afterEach(() => under.stop());

const noise = (count: number) =>
  Array.from({ length: count }, () => ({ key: null, value: randomBytes(1000) }));

const extent = async (topic: string) => (await under.log.topics(topic))[0]!.extents[0]!;

test('by size: whole batches go from the front, at least the configured bytes stay', async () => {
  const { log } = under;
  await log.ensureTopic('t', { partitions: 1, retentionBytes: 25_000 });
  for (let index = 0; index < 10; index += 1) {
    await log.append([{ topic: 't', partition: 0, records: noise(10) }]);
  }
  await log.enforceRetention();
  const { start, end, bytes } = await extent('t');
  expect(end).toBe(100);
  expect(start).toBe(70);
  expect(bytes).toBeGreaterThan(25_000);
  expect((await log.read('t', 0, 0, 1000)).map((record: StoredRecord) => record.offset)).toEqual(
    Array.from({ length: 30 }, (_, index) => 70 + index),
  );
});

test('by age: what is older goes, offsets go on; without a limit everything is kept', async () => {
  const { log } = under;
  await log.ensureTopic('old', { partitions: 1, retentionMs: 0 });
  await log.ensureTopic('kept', { partitions: 1 });
  for (const topic of ['old', 'kept']) await log.append([{ topic, partition: 0, records: noise(5) }]);
  const appended = Date.now();
  while (Date.now() <= appended) await new Promise((resolve) => setImmediate(resolve));
  await log.enforceRetention();
  expect(await extent('old')).toEqual({ start: 5, end: 5, bytes: 0 });
  expect(await extent('kept')).toMatchObject({ start: 0, end: 5 });
  await log.append([{ topic: 'old', partition: 0, records: noise(1) }]);
  expect((await log.read('old', 0, 0, 10))[0]!.offset).toBe(5);
});

test('a consumer whose records were deleted says so and goes on at the new start', async () => {
  const { log } = under;
  await log.ensureTopic('t', { partitions: 1 });
  await log.append([{ topic: 't', partition: 0, records: noise(1) }]);
  const errors: unknown[] = [];
  let seen: number[] = [];
  let caught: () => void = () => undefined;
  const consume = (until: number) =>
    new Promise<void>((resolve) => {
      caught = resolve;
      const consumer = log.consume({
        group: 'g',
        topics: ['t'],
        onError: (error) => errors.push(error),
        onBatch: async ({ records }) => {
          seen.push(...records.map((record) => record.offset));
          if (seen.includes(until)) setImmediate(() => void consumer.stop().then(caught));
        },
      });
    });
  await consume(0);
  for (let index = 0; index < 10; index += 1) {
    await log.append([{ topic: 't', partition: 0, records: noise(10) }]);
  }
  await log.ensureTopic('t', { partitions: 1, retentionBytes: 15_000 });
  await log.enforceRetention();
  const { start } = await extent('t');
  seen = [];
  await consume(100);
  expect(seen[0]).toBe(start);
  expect(errors).toHaveLength(1);
  expect(errors[0]).toBeInstanceOf(HubError);
  expect(errors[0]).toMatchObject({ code: 'LOG_OFFSET_LOST', details: { from: 1, start } });
});

test('ten thousand topics are listed, and their space comes back', async () => {
  const { log } = under;
  const names = Array.from({ length: 10_000 }, (_, index) => `topic.${index}`);
  await Promise.all(names.map((topic) => log.ensureTopic(topic, { partitions: 1 })));
  await log.append(names.map((topic) => ({ topic, partition: 0, records: noise(1) })));
  const topics = await log.topics();
  expect(topics).toHaveLength(10_000);
  expect(topics.every((topic) => topic.extents[0]!.end === 1)).toBe(true);
});
