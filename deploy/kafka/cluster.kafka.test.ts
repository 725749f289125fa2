import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { expect, test } from 'vitest';
import { testKafka } from '#tests/kafka';

test('a broker killed with -9 comes back on its port with what it acknowledged; Connect offers Debezium', async () => {
  await using kafka = await testKafka({ connect: true });
  const client = new Kafka({ brokers: [...kafka.bootstrap], logLevel: logLevel.NOTHING });
  const producer = client.producer();
  const admin = client.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 1 }] });
  await producer.connect();
  await producer.send({ topic: 'kept', acks: -1, messages: [{ value: 'one' }] });
  await kafka.kill(1);
  await kafka.restart(1);
  expect(await admin.fetchTopicOffsets('kept')).toMatchObject([{ partition: 0, low: '0', high: '1' }]);
  await Promise.all([producer.disconnect(), admin.disconnect()]);
  const plugins = (await (await fetch(`${kafka.connectUrl}/connector-plugins`)).json()) as {
    class: string;
  }[];
  expect(plugins.map((plugin) => plugin.class)).toContain(
    'io.debezium.connector.postgresql.PostgresConnector',
  );
});

test('stopping leaves no process behind', async () => {
  const kafka = await testKafka();
  const [pid] = kafka.pids().brokers;
  await kafka[Symbol.asyncDispose]();
  await delay(0);
  expect(() => process.kill(pid!, 0)).toThrow(/ESRCH/);
});
