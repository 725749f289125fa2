import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestClickHouse, testClickHouse } from '#tests/clickhouse';
import { startContainer, type TestContainer } from '#tests/container';
import { eventually } from '#tests/eventually';
import { runBac } from '#tests/hub';
import { type TestKafka, testKafka } from '#tests/kafka';
import { type TestPostgres, testPostgres } from '#tests/postgres';

/** The roles as containers run them where nothing is embedded: no folder is shared, none can be written. */
const OWNER = `${'0d'.repeat(6)}.${'o'.repeat(43)}`;
const NO_FOLDER = '/dev/null/bac';

let postgres: TestPostgres;
let clickhouse: TestClickHouse;
let kafka: TestKafka;
let pool: pg.Pool;

beforeAll(async () => {
  [postgres, clickhouse, kafka] = await Promise.all([testPostgres(), testClickHouse(), testKafka()]);
  pool = new pg.Pool({ connectionString: postgres.url, max: 3 });
  pool.on('error', () => undefined);
});
afterAll(async () => {
  await pool?.end();
  await kafka?.[Symbol.asyncDispose]();
  await clickhouse?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

const environment = (): Record<string, string> => ({
  BAC_STATE_DIR: NO_FOLDER,
  BAC_POSTGRES_URL: postgres.url,
  BAC_CLICKHOUSE_URL: clickhouse.url,
  BAC_CLICKHOUSE_USER: clickhouse.user,
  BAC_CLICKHOUSE_PASSWORD: clickhouse.password,
  BAC_KAFKA_BROKERS: kafka.bootstrap.join(','),
  BAC_LOG_PARTITIONS: '4',
});

test('two apis, two captures and two sinks over Kafka without a state folder: one of each dies, the others go on', async () => {
  await pool.query('CREATE TABLE public.orders (id int PRIMARY KEY, note text)');
  await using stack = new AsyncDisposableStack();
  const start = (roles: string, env: Record<string, string> = {}): TestContainer =>
    stack.use(startContainer(roles, { ...environment(), ...env }));
  const keys = { BAC_OWNER_KEY: OWNER };
  const all = [
    start('api', keys),
    start('api', keys),
    start('capture'),
    start('capture'),
    start('sink'),
    start('sink'),
  ];
  await Promise.all(all.map((container) => container.ready()));
  const [api, otherApi, ...rest] = all as [TestContainer, TestContainer, ...TestContainer[]];

  const bac = async (at: TestContainer, ...args: string[]) =>
    runBac(args, { BAC_URL: await at.url, BAC_KEY: OWNER, BAC_STATE_DIR: NO_FOLDER });
  const added = await bac(
    api,
    'connect',
    'add',
    'shop',
    '--url',
    postgres.url,
    '--tables',
    'orders',
    '--wait',
  );
  expect(added, added.stderr).toMatchObject({ code: 0 });
  const insert = (from: number, to: number) =>
    pool.query("INSERT INTO public.orders SELECT n, 'x' FROM generate_series($1::int, $2::int) n", [
      from,
      to,
    ]);
  const stored = async (wanted: number): Promise<void> => {
    let seen = -1;
    await eventually(
      async () => {
        const rows = await clickhouse.warehouse.query<{ n: string }>(
          'SELECT count() AS n FROM shop.orders FINAL WHERE _deleted = 0',
        );
        seen = Number(rows[0]?.n);
        return seen === wanted ? true : undefined;
      },
      60_000,
      () => `${seen} of ${wanted} rows`,
    );
  };
  await insert(1, 1000);
  await stored(1000);

  // Both sinks have partitions, and both have stored something.
  const figure = async (container: TestContainer, name: string): Promise<number> =>
    Number(new RegExp(`^${name}\\S* (\\d+)`, 'm').exec((await container.get('/metrics')).text)?.[1] ?? 0);
  const [captureOne, captureTwo, sinkOne, sinkTwo] = rest as [
    TestContainer,
    TestContainer,
    TestContainer,
    TestContainer,
  ];
  await eventually(
    async () =>
      (await figure(sinkOne, 'bac_sink_rows_total')) > 0 && (await figure(sinkTwo, 'bac_sink_rows_total')) > 0
        ? true
        : undefined,
    15_000,
    () => 'one sink has everything',
  );
  const reader = await eventually(
    async () => {
      const sources = await Promise.all(
        [captureOne, captureTwo].map((one) => figure(one, 'bac_capture_sources')),
      );
      if (sources[0]! + sources[1]! !== 1) return undefined;
      return sources[0] === 1 ? captureOne : captureTwo;
    },
    15_000,
    () => 'not exactly one capture reads the source',
  );

  for (const victim of [reader, sinkOne, api]) victim.kill('SIGKILL');
  await Promise.all([reader.exited, sinkOne.exited, api.exited]);
  await insert(1001, 3000);
  await stored(3000);
  const status = await bac(otherApi, 'status', '--json');
  expect(status, status.stderr).toMatchObject({ code: 0 });
  expect(JSON.parse(status.stdout).log).toMatchObject({ kind: 'kafka', error: null });
  const verified = await bac(otherApi, 'verify', 'shop');
  expect(verified, verified.stderr).toMatchObject({ code: 0 });

  const began = performance.now();
  const left = all.filter((container) => ![reader, sinkOne, api].includes(container));
  for (const container of left) container.kill('SIGTERM');
  expect(await Promise.all(left.map((container) => container.exited))).toEqual([0, 0, 0]);
  expect(performance.now() - began).toBeLessThan(10_000);
}, 240_000);

test('a wrong broker is waited for and then told; the embedded log without a folder is refused', async () => {
  await using nobody = startContainer('sink', {
    ...environment(),
    BAC_KAFKA_BROKERS: '127.0.0.1:1',
    BAC_START_TIMEOUT: '2',
  });
  expect(await nobody.exited).toBe(1);
  expect(nobody.output.join('\n')).toMatch(/Kafka cannot be used/);
  const { BAC_KAFKA_BROKERS: _, ...embedded } = environment();
  await using folderless = startContainer('sink', embedded);
  expect(await folderless.exited).toBe(1);
  expect(folderless.output.join('\n')).toContain('STATE_DIR_UNWRITABLE');
}, 60_000);
