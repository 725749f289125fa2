import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ChangeLog, silentLogger } from '#kernel';
import { eventually } from '#tests/eventually';
import { type TestKafka, testKafka } from '#tests/kafka';
import { openKafkaLog } from './index.ts';

let kafka: TestKafka;
let log: ChangeLog;
beforeAll(async () => {
  kafka = await testKafka();
  log = await openKafkaLog({ brokers: kafka.bootstrap, log: silentLogger() });
});
afterAll(async () => {
  await log?.close();
  await kafka?.[Symbol.asyncDispose]();
});

test('what others write in transactions is read at once, and the marks at their ends wait for nobody', async () => {
  await log.ensureTopic('t', { partitions: 1 });
  const seen: string[] = [];
  const done: number[] = [];
  const waiting: number[] = [];
  const consumer = log.consume({
    group: 'g',
    topics: ['t'],
    onBatch: async ({ records, end }) => {
      for (const { value } of records) seen.push(String(value));
      waiting.push(end - 1 - records.at(-1)!.offset);
    },
    onDone: (_, position) => done.push(position),
  });
  await consumer.ready;
  const client = new Kafka({ brokers: [...kafka.bootstrap], logLevel: logLevel.NOTHING });
  const producer = client.producer({ transactionalId: 'other', idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const send = async (value: string, end: 'commit' | 'abort') => {
    const transaction = await producer.transaction();
    await transaction.send({ topic: 't', messages: [{ value }] });
    await eventually(async () => (seen.includes(value) ? true : undefined), 20_000);
    await transaction[end]();
  };
  await send('kept', 'commit');
  // Of the source in any case: whoever aborts sends it again.
  await send('aborted', 'abort');
  await send('last', 'commit');
  const end = async () => (await log.topics('t'))[0]!.extents[0]!.end;
  expect(await end()).toBe(6);
  await eventually(async () => (done.at(-1) === 6 ? true : undefined), 20_000);
  await eventually(async () => ((await log.lag('g'))[0]?.lag === 0 ? true : undefined), 20_000);
  expect(seen).toEqual(['kept', 'aborted', 'last']);
  expect(waiting).toEqual([0, 0, 0]);
  await producer.disconnect();
  await consumer.stop();

  const again: string[] = [];
  const next = log.consume({
    group: 'g',
    topics: ['t'],
    onBatch: async ({ records }) => void again.push(...records.map(({ value }) => String(value))),
  });
  await next.ready;
  await log.append([{ topic: 't', partition: 0, records: [{ key: null, value: Buffer.from('new') }] }]);
  await eventually(async () => (again.length > 0 ? true : undefined), 20_000);
  await next.stop();
  expect(again).toEqual(['new']);
});
