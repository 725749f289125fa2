import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { silentLogger } from '#kernel';
import { openKafkaLog } from '#stream';
import { eventually } from '#tests/eventually';
import { type TestHub, testHub } from '#tests/hub';
import { testKafka } from '#tests/kafka';
import { crashLoop, type Kill, supervised } from './crash-loop.ts';

const SEED = Number(process.env.CRASH_SEED ?? 20_261_126);
const KILLS = Number(process.env.CRASH_KILLS ?? 12);

/** The sink of the other process, by what it says of itself in the hub's state. */
function sinkOf(hub: TestHub, instance: string): Kill {
  const pidNow = async (): Promise<number | undefined> => {
    const client = new pg.Client({ connectionString: hub.postgresUrl });
    client.on('error', () => {}); // PostgreSQL is one of the victims
    try {
      await client.connect();
      const { rows } = await client.query<{ pid: number }>(
        "SELECT (data->>'pid')::int AS pid FROM bac.role_stats WHERE role = 'sink' AND instance = $1",
        [instance],
      );
      return rows[0]?.pid;
    } catch {
      return undefined;
    } finally {
      await client.end();
    }
  };
  return async () => {
    const pid = await eventually(pidNow, 60_000, () => `sink ${instance} did not come back`);
    process.kill(pid, 'SIGKILL');
    await eventually(
      async () => ((await pidNow()) !== pid ? true : undefined),
      60_000,
      () => `sink ${instance} was not restarted`,
    );
  };
}

/** The hub with Kafka as its log, and a second process with sinks only, as on another machine. */
test(`on Kafka, after ${KILLS} kills -9 of readers, sinks, engines and broker, every table equals its source (seed ${SEED})`, async () => {
  await using kafka = await testKafka();
  const env = { BAC_KAFKA_BROKERS: kafka.bootstrap.join(','), BAC_LOG_PARTITIONS: '4' };
  await using hub = await testHub({ env });
  await using _second = await testHub({
    args: ['--no-demo', '--roles', 'sink'],
    env: {
      ...env,
      BAC_INSTANCE: 'second',
      BAC_HEALTH_PORT: '0',
      BAC_POSTGRES_URL: hub.postgresUrl,
      BAC_CLICKHOUSE_URL: hub.addresses.clickhouse!,
      BAC_CLICKHOUSE_PASSWORD: readFileSync(join(hub.stateDir, 'clickhouse-password'), 'utf8').trim(),
    },
  });
  await crashLoop({
    hub,
    seed: SEED,
    kills: KILLS,
    victims: {
      capture: supervised(hub, 'capture'),
      sink: supervised(hub, 'sink'),
      broker: () => kafka.restart(1),
      'second sink': sinkOf(hub, 'second'),
      clickhouse: supervised(hub, 'clickhouse'),
      postgres: supervised(hub, 'postgres'),
    },
  });
  // The changes went through Kafka, and the sinks took them from there.
  const log = await openKafkaLog({ brokers: kafka.bootstrap, log: silentLogger() });
  const lag = await log.lag('bac.sink');
  await log.close();
  expect(new Set(lag.map(({ partition }) => partition))).toEqual(new Set([0, 1, 2, 3]));
  expect(lag.reduce((sum, { committed }) => sum + committed, 0)).toBeGreaterThan(1000);
});
