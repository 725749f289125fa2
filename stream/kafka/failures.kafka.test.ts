import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ChangeLog, silentLogger } from '#kernel';
import { eventually } from '#tests/eventually';
import { type TestKafka, testKafka } from '#tests/kafka';
import { type KafkaLogOptions, openKafkaLog } from './index.ts';

const USER = { username: 'hub', password: 'right' };

let kafka: TestKafka;
beforeAll(async () => {
  kafka = await testKafka({ sasl: USER, tls: true });
});
afterAll(() => kafka[Symbol.asyncDispose]());

const open = (over: Partial<KafkaLogOptions> = {}): Promise<ChangeLog> =>
  openKafkaLog({
    brokers: kafka.bootstrap,
    clientId: `failures-${expect.getState().currentTestName?.length}`,
    tls: { caFile: kafka.certificates!.caFile },
    sasl: { mechanism: 'scram-sha-512', ...USER },
    sessionMs: 3000,
    log: silentLogger(),
    ...over,
  });
const numbers = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => ({ key: null, value: Buffer.from(String(from + index)) }));

/** Everything a group gets, by partition. */
function collect(log: ChangeLog, topic: string) {
  const seen = new Map<number, number[]>();
  const errors: unknown[] = [];
  const consumer = log.consume({
    group: 'g',
    topics: [topic],
    onError: (error) => errors.push(error),
    onBatch: async ({ partition, records }) => {
      const list = seen.get(partition) ?? [];
      for (const { value } of records) list.push(Number(value));
      seen.set(partition, list);
    },
  });
  return { consumer, seen, errors, all: () => [...seen.values()].flat() };
}

test('every SASL mechanism logs in over TLS; a wrong password is told as such, and so is a certificate nobody trusts', async () => {
  for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const) {
    const log = await open({ sasl: { mechanism, ...USER } });
    await log.ensureTopic('sasl', { partitions: 1 });
    await log.append([{ topic: 'sasl', partition: 0, records: numbers(0, 1) }]);
    await log.close();
  }
  const wrong = await open({ sasl: { mechanism: 'scram-sha-256', username: 'hub', password: 'wrong' } });
  await expect(wrong.topics()).rejects.toMatchObject({
    code: 'LOG_AUTH_FAILED',
    next: expect.stringContaining('log.kafka.sasl'),
  });
  await expect(wrong.topics()).rejects.not.toThrow(/wrong/);
  await wrong.close();
  const plain = await open({ sasl: { mechanism: 'plain', username: 'hub', password: 'wrong' } });
  await expect(plain.lag('g')).rejects.toMatchObject({ code: 'LOG_AUTH_FAILED' });
  await plain.close();
  const untrusting = await open({ tls: {} });
  await expect(untrusting.topics()).rejects.toMatchObject({
    code: 'LOG_UNREACHABLE',
    next: expect.stringContaining('log.kafka.tls'),
  });
  await untrusting.close();
});

test('a record up to the limit is kept; a larger one is refused and holds up nobody', async () => {
  const log = await open({ maxRecordBytes: 4_000_000 });
  await log.ensureTopic('large', { partitions: 1 });
  const value = randomBytes(3_900_000);
  await log.append([{ topic: 'large', partition: 0, records: [{ key: null, value }] }]);
  const [record] = await log.read('large', 0, 0, 1);
  expect(record!.value!.equals(value)).toBe(true);
  await expect(
    log.append([{ topic: 'large', partition: 0, records: [{ key: null, value: randomBytes(4_100_000) }] }]),
  ).rejects.toMatchObject({ code: 'LOG_RECORD_TOO_LARGE' });
  await log.append([{ topic: 'large', partition: 0, records: numbers(7, 1) }]);
  expect((await log.read('large', 0, 1, 10)).map(({ value: text }) => String(text))).toEqual(['7']);
  await log.close();
});

test('retention is set, changed and told; names that Kafka does not take come back as they are', async () => {
  const log = await open();
  const topic = 'shop.public.Grüße, Welt';
  await log.ensureTopic(topic, { partitions: 1, retentionMs: 3_600_000, retentionBytes: 1_000_000 });
  await log.append([{ topic, partition: 0, records: numbers(0, 2) }]);
  expect(await log.topics('shop.')).toMatchObject([
    {
      topic,
      partitions: 1,
      retentionMs: 3_600_000,
      retentionBytes: 1_000_000,
      extents: [{ start: 0, end: 2 }],
    },
  ]);
  expect((await log.topics('shop.'))[0]!.extents[0]!.bytes).toBeGreaterThan(70);
  await log.ensureTopic(topic, { partitions: 1 });
  expect(Object.keys((await log.topics('shop.'))[0]!)).not.toContain('retentionMs');
  const { consumer, all } = collect(log, topic);
  await eventually(async () => (all().length === 2 ? true : undefined), 15_000);
  await consumer.stop();
  expect(await log.lag('g')).toEqual([{ topic, partition: 0, committed: 2, end: 2, lag: 0 }]);
  await log.close();
});

test('partitions widened under a running producer and consumer: nothing is lost, each partition in order', async () => {
  const log = await open();
  await log.ensureTopic('widen', { partitions: 1 });
  const { consumer, seen, all } = collect(log, 'widen');
  await consumer.ready;
  let next = 0;
  const append = async (partitions: number): Promise<void> => {
    await log.append(
      Array.from({ length: partitions }, (_, partition) => {
        next += 10;
        return { topic: 'widen', partition, records: numbers(next - 10, 10) };
      }),
    );
  };
  for (let round = 0; round < 10; round += 1) await append(1);
  await log.ensureTopic('widen', { partitions: 4 });
  for (let round = 0; round < 10; round += 1) await append(4);
  await eventually(async () => (all().length === next ? true : undefined), 20_000);
  await consumer.stop();
  expect([...seen.keys()].sort()).toEqual([0, 1, 2, 3]);
  for (const values of seen.values()) expect(values).toEqual(values.toSorted((a, b) => a - b));
  await log.close();
});

test('a topic deleted under its consumer: appends are told, others go on, made anew it is read from its start', async () => {
  const log = await open();
  for (const topic of ['gone', 'stays']) await log.ensureTopic(topic, { partitions: 1 });
  const gone = collect(log, 'gone');
  const stays = log.consume({
    group: 'other',
    topics: ['stays'],
    onBatch: async ({ records }) => void kept.push(...records.map(({ value }) => Number(value))),
  });
  const kept: number[] = [];
  await log.append([{ topic: 'gone', partition: 0, records: numbers(0, 50) }]);
  await eventually(async () => (gone.all().length === 50 ? true : undefined), 15_000);
  await log.deleteTopic('gone');
  await expect(log.append([{ topic: 'gone', partition: 0, records: numbers(0, 1) }])).rejects.toMatchObject({
    code: 'LOG_TOPIC_UNKNOWN',
  });
  await log.append([{ topic: 'stays', partition: 0, records: numbers(0, 3) }]);
  await eventually(async () => (kept.length === 3 ? true : undefined), 15_000);
  await log.ensureTopic('gone', { partitions: 1 });
  await log.append([{ topic: 'gone', partition: 0, records: numbers(100, 5) }]);
  await eventually(async () => (gone.all().length === 55 ? true : undefined), 15_000);
  expect(gone.all().slice(50)).toEqual([100, 101, 102, 103, 104]);
  await Promise.all([gone.consumer.stop(), stays.stop()]);
  await log.close();
});

test('the broker is away for a minute: what waits goes on by itself, nothing is lost, all in order', async () => {
  const log = await open();
  await log.ensureTopic('away', { partitions: 2 });
  await log.ensureTopic('unheard', { partitions: 1 });
  const stranger = await open();
  const { consumer, seen, all } = collect(log, 'away');
  await consumer.ready;
  const append = (from: number): Promise<unknown> =>
    log.append([0, 1].map((partition) => ({ topic: 'away', partition, records: numbers(from, 10) })));
  await append(0);
  const killed = performance.now();
  await kafka.kill(1);
  const waiting = [append(10), append(20)];
  // This one does not know yet who leads: appends come while those before them look for it.
  const unheard: Promise<readonly { end: number }[]>[] = [];
  for (let from = 0; from < 100; from += 1) {
    unheard.push(stranger.append([{ topic: 'unheard', partition: 0, records: numbers(from, 1) }]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await expect(log.topics()).rejects.toMatchObject({ code: 'LOG_UNREACHABLE', disposition: 'transient' });
  await new Promise((resolve) => setTimeout(resolve, 60_000 - (performance.now() - killed)));
  await kafka.restart(1);
  await Promise.all(waiting);
  expect((await Promise.all(unheard)).map(([appended]) => appended!.end)).toEqual(
    Array.from({ length: 100 }, (_, index) => index + 1),
  );
  await append(30);
  await eventually(async () => (all().length >= 80 ? true : undefined), 30_000);
  await eventually(
    async () => ((await log.lag('g')).every(({ lag }) => lag === 0) ? true : undefined),
    15_000,
  );
  await consumer.stop();
  for (const values of seen.values()) {
    // The broker died while a commit may have been under way: repeated is allowed, missing or overtaken is not.
    expect([...new Set(values)]).toEqual(Array.from({ length: 40 }, (_, index) => index));
  }
  await stranger.close();
  await log.close();
});

test('an append that cannot be delivered in time rejects with the reason, and the log closes', async () => {
  const log = await open({ brokers: ['127.0.0.1:1'], deliveryTimeoutMs: 300 });
  const consumer = log.consume({ group: 'g', topics: ['t'], onBatch: async () => undefined });
  await expect(log.append([{ topic: 't', partition: 0, records: numbers(0, 1) }])).rejects.toMatchObject({
    code: 'LOG_UNREACHABLE',
    next: expect.stringContaining('log.kafka.brokers'),
  });
  await consumer.stop();
  await log.close();
  await expect(log.topics()).rejects.toMatchObject({ code: 'LOG_CLOSED' });
});
