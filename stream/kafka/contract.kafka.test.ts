import { afterAll, beforeAll } from 'vitest';
import { createLogger, silentLogger } from '#kernel';
import { changeLogContract } from '#kernel/contracts';
import { type TestKafka, testKafka } from '#tests/kafka';
import { openKafkaLog } from './index.ts';

let kafka: TestKafka;
beforeAll(async () => {
  kafka = await testKafka();
});
afterAll(() => kafka[Symbol.asyncDispose]());

let opened = 0;

/** One broker for all tests: each gets groups of its own, and finds no topic. */
changeLogContract(
  'kafka',
  async () => {
    opened += 1;
    const options = { brokers: kafka.bootstrap, clientId: `contract-${opened}`, sessionMs: 3000 };
    const log = await openKafkaLog({
      ...options,
      log: process.env.KAFKA_LOG
        ? createLogger({ role: 'log', level: process.env.KAFKA_LOG })
        : silentLogger(),
    });
    return {
      log,
      module: new URL('./fixtures/open.ts', import.meta.url).href,
      location: JSON.stringify(options),
      async stop() {
        for (const { topic } of await log.topics()) await log.deleteTopic(topic);
        await log.close();
      },
    };
  },
  { crashes: 6, runs: 12 },
);
