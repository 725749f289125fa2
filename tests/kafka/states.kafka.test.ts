import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { silentLogger } from '#kernel';
import { openKafkaLog } from '#stream';
import { eventually } from '#tests/eventually';
import { runBac, type TestHub, testHub } from '#tests/hub';
import { testKafka } from '#tests/kafka';

const USER = { username: 'hub', password: 'right' };

const status = async (hub: TestHub): Promise<string> => (await hub.bac('status')).stdout;
const says = (hub: TestHub, pattern: RegExp, withinMs = 60_000): Promise<string> => {
  let last = '';
  return eventually(
    async () => {
      last = await status(hub);
      return pattern.test(last) ? last : undefined;
    },
    withinMs,
    () => `status never said ${pattern}:\n${last}`,
  );
};

test('a wrong password, a broker that is away, a deleted topic and more partitions: each is said in bac status and mends', async () => {
  await using kafka = await testKafka({ sasl: USER });
  const env = {
    BAC_KAFKA_BROKERS: kafka.bootstrap.join(','),
    BAC_KAFKA_SASL_USERNAME: USER.username,
    BAC_KAFKA_SASL_PASSWORD: USER.password,
  };
  // A login that is refused is no matter of waiting: the hub says so and does not start.
  await using hub = await testHub({ env });
  const refused = await runBac(['up', '--no-demo', '--roles', 'sink'], {
    ...env,
    BAC_KAFKA_SASL_PASSWORD: 'wrong',
    BAC_STATE_DIR: `${hub.stateDir}/other`,
    BAC_HEALTH_PORT: '0',
    BAC_POSTGRES_URL: hub.postgresUrl,
    BAC_CLICKHOUSE_URL: hub.addresses.clickhouse!,
    BAC_CLICKHOUSE_PASSWORD: readFileSync(join(hub.stateDir, 'clickhouse-password'), 'utf8').trim(),
    BAC_START_TIMEOUT: '5',
  });
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('refused the login') });
  expect(refused.stderr).not.toContain('wrong');

  await using client = await source(hub);
  await client.query('CREATE SCHEMA shop; CREATE TABLE shop.t (id int PRIMARY KEY, v text)');
  const added = await hub.bac('connect', 'add', 'shop', '--url', hub.postgresUrl, '--tables', 'shop.*');
  expect(added, added.stderr).toMatchObject({ code: 0 });
  let next = 0;
  const insert = (): Promise<unknown> => client.query('INSERT INTO shop.t VALUES ($1, $2)', [++next, 'x']);
  /** Until the warehouse has every row, and the value that was written last. */
  const arrived = async (value = 'x'): Promise<void> => {
    let last = '';
    await eventually(
      async () => {
        last = (
          await hub.bac(
            'sql',
            `SELECT count() AS n FROM shop.shop_t FINAL WHERE _deleted = 0 AND v = '${value}'`,
            '--format',
            'json',
          )
        ).stdout;
        return new RegExp(`"?n"?:\\s*"?${next}"?\\b`).test(last) ? true : undefined;
      },
      90_000,
      () => `${next} rows were written, the warehouse says ${last}`,
    );
  };
  await insert();
  await arrived();
  expect(await says(hub, /log +Kafka, \d+ topics/)).not.toContain('LOG_');

  await kafka.kill(1);
  await insert();
  expect(await says(hub, /LOG_UNREACHABLE/)).toContain('Check log.kafka.brokers');
  await kafka.restart(1);
  await insert();
  await arrived();
  await says(hub, /log +Kafka, \d+ topics/);

  const log = await openKafkaLog({
    brokers: kafka.bootstrap,
    sasl: { mechanism: 'plain', ...USER },
    log: silentLogger(),
  });
  const topic = 'shop.shop.t';
  await log.ensureTopic(topic, { partitions: 3 });
  for (let row = 0; row < 30; row += 1) await insert();
  await arrived();
  await client.query("UPDATE shop.t SET v = 'y'");
  await arrived('y');

  await log.deleteTopic(topic);
  await log.close();
  await client.query("UPDATE shop.t SET v = 'z'");
  await says(hub, /LOG_TOPIC_UNKNOWN/);
  // The source still has what could not be appended: made anew, the topic gets it all.
  await arrived('z');
  await eventually(
    async () => (/LOG_TOPIC_UNKNOWN/.test(await status(hub)) ? undefined : true),
    60_000,
    () => 'the error stayed',
  );
});

async function source(hub: TestHub): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: hub.postgresUrl });
  client.on('error', () => {}); // the hub is stopped while a failing test still holds it
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}
