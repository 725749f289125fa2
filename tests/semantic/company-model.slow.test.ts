import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '#tests/eventually';
import { type TestHub, testHub } from '#tests/hub';

/** A company's own model folder on a whole hub: taken up when it is saved, and never worse than what held before. */

let hub: TestHub;
let shop: pg.Client;
const folder = mkdtempSync(join(tmpdir(), 'bac-test-model-'));
const save = (content: string): void => writeFileSync(join(folder, 'own.yaml'), content);

const metric = (sql: string, rest = ''): string => `cubes:
  - name: till
    extends: shop_orders
    measures:
      - name: takings
        type: sum
        sql: "${sql}"
${rest}`;

async function load(
  query: object,
  headers: object = {},
): Promise<{ status: number; data: object[]; rollups: string[] }> {
  const response = await fetch(`${hub.addresses.http}/cubejs-api/v1/load`, {
    method: 'POST',
    headers: { authorization: `Bearer ${hub.key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query, cache: 'no-cache' }),
  });
  const { data, rollups } = (await response.json()) as { data: object[]; rollups: string[] };
  return { status: response.status, data, rollups };
}

async function sql(text: string): Promise<unknown[]> {
  const [host, port] = hub.addresses.sql!.split(':');
  const client = new pg.Client({ host, port: Number(port), user: 'me', password: hub.key, database: 'bac' });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

const takings = (): Promise<string | undefined> =>
  load({ measures: ['till.takings'] }).then(
    ({ data }) => (data?.[0] as Record<string, string> | undefined)?.['till.takings'],
  );
const becomes = (value: string): Promise<true> => {
  let last: string | undefined;
  return eventually(
    async () => {
      last = await takings();
      return last === value ? true : undefined;
    },
    20_000,
    () => `takings are ${last} instead of ${value}`,
  );
};
const says = (...texts: string[]): Promise<true> => {
  let said = '';
  return eventually(
    async () => {
      said = (await hub.bac('status')).stdout;
      return texts.every((text) => said.includes(text)) ? true : undefined;
    },
    20_000,
    () => `not all of ${texts.join(' | ')} in\n${said}`,
  );
};

beforeAll(async () => {
  save(metric('{CUBE}.amount'));
  hub = await testHub({ env: { BAC_SEMANTIC_MODEL_DIR: folder } });
  shop = new pg.Client({ connectionString: hub.postgresUrl });
  shop.on('error', () => {});
  await shop.connect();
  await shop.query(`CREATE TABLE orders (id bigint PRIMARY KEY, placed timestamptz NOT NULL, amount numeric(12, 2) NOT NULL, gift numeric(12, 2) NOT NULL);
    INSERT INTO orders SELECT g, timestamptz '2026-01-01' + g * interval '1 hour', g, 1 FROM generate_series(1, 100) g`);
  await hub.stream('shop', 'orders');
}, 120_000);
afterAll(async () => {
  await shop?.end();
  await hub?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

test('the first question of a hub says what it waits for; the command line shows rows and where they are from', async () => {
  const query =
    '{"measures":["till.takings"],"timeDimensions":[{"dimension":"till.placed","granularity":"month"}]}';
  const first = await hub.bac('query', query);
  expect(first).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/Takings[\s\S]*2026-01[\s\S]*5050/),
    stderr: expect.stringMatching(/being compiled[\s\S]*1 rows from shop\.orders, complete up to 20/),
  });
  const again = await hub.bac('query', query);
  expect([again.code, again.stderr]).toEqual([0, expect.stringMatching(/^1 rows .*\(cached\)\.$/m)]);
  const json = await hub.bac('query', '--json', query);
  expect(JSON.parse(json.stdout)).toMatchObject({ data: [{ 'till.takings': '5050' }], cached: true });
  for (const [text, said] of [
    ['{"measures":["till.nothing"]}', 'nothing'],
    ['measures', 'no JSON object'],
  ] as const) {
    const refused = await hub.bac('query', text);
    expect([refused.code, refused.stdout]).toEqual([1, '']);
    expect(refused.stderr).toContain(said);
  }
});

test('what was in the folder at the start is served, and a saved metric within seconds, on all surfaces', async () => {
  await becomes('5050');
  save(metric('{CUBE}.amount - {CUBE}.gift'));
  const saved = performance.now();
  await becomes('4950');
  expect(performance.now() - saved).toBeLessThan(10_000);
  expect(await sql('SELECT MEASURE(takings) AS t FROM till')).toEqual([{ t: '4950' }]);
  await says('model      in force', `1 files   ${folder}`);
});

test.each([
  ['YAML that is none', 'cubes:\n  - name: [', 'own.yaml:2'],
  ['a key that is not known', metric('{CUBE}.amount', '        titel: Takings\n'), 'own.yaml:5'],
  ['a column that is not there', metric('{CUBE}.amuont'), 'own.yaml:5'],
  [
    'a name that is taken',
    `${metric('{CUBE}.amount')}  - { name: shop_orders, extends: till }\n`,
    'own.yaml:8',
  ],
  ['what Cube refuses', metric('{CUBE}.amount').replace('type: sum', 'type: summ'), 'own.yaml:5'],
  ['a table read past its rules', metric('(SELECT max(amount) FROM shop.orders)'), 'own.yaml:5'],
])('%s: the metric before stays, and status, doctor and check name the line', async (_, content, place) => {
  save(content);
  await says('model      refused', place, 'bac model check');
  expect(await takings()).toBe('4950');
  const checked = await hub.bac('model', 'check');
  expect([checked.code, checked.stdout]).toEqual([1, expect.stringContaining(place)]);
  const doctor = await hub.bac('doctor');
  expect([doctor.code, doctor.stdout]).toEqual([1, expect.stringContaining(place)]);
  save(metric('{CUBE}.amount - {CUBE}.gift'));
  await says('model      in force');
  expect(await takings()).toBe('4950');
  expect(await hub.bac('model', 'check')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('sound'),
  });
});

test('a roll-up of the folder is built and gives what the table gives, also for a product’s or generated cube', async () => {
  save(`${metric('{CUBE}.amount - {CUBE}.gift')}  - name: shop_orders
    measures: [{ name: biggest, type: max, sql: "{CUBE}.amount" }]
    pre_aggregations:
      - { name: by_day, measures: [count, biggest], time_dimension: placed, granularity: day }
`);
  const query = { measures: ['shop_orders.biggest', 'shop_orders.count'] };
  const rolled = await eventually(async () => {
    const answer = await load(query);
    return answer.rollups?.length > 0 ? answer : undefined;
  }, 60_000);
  expect(rolled.rollups).toEqual(['shop_orders.by_day']);
  expect(rolled.data).toEqual((await load(query, { 'x-bac-rollups': 'off' })).data);
  expect(rolled.data).toEqual([{ 'shop_orders.biggest': '100', 'shop_orders.count': '100' }]);
  expect(await takings()).toBe('4950');
});

const restartApi = async (): Promise<void> => {
  const { pid } = JSON.parse((await hub.bac('status', '--json')).stdout).roles.find(
    ({ role }: { role: string }) => role === 'api',
  );
  process.kill(pid, 'SIGKILL');
  await eventually(async () => {
    const { status: code, data } = await load({ measures: ['shop_orders.count'] }).catch(() => ({
      status: 0,
      data: [],
    }));
    return code === 200 && data.length === 1 ? true : undefined;
  }, 60_000);
};

test('a process that starts with a folder that does not hold serves what held before, and says so', async () => {
  const broken = metric('{CUBE}.amount').replace('extends', 'exends');
  save(metric('{CUBE}.amount - {CUBE}.gift'));
  await becomes('4950');
  save(broken);
  await says('model      refused', 'own.yaml:3');
  await restartApi();
  await says('model      refused', 'own.yaml:3');
  expect((await hub.bac('status')).stdout).not.toContain('only the product’s own files count');
  expect(await takings()).toBe('4950');
  save(metric('{CUBE}.amount'));
  await becomes('5050');
});

test('where nothing of it ever held the rest is served, and that is said', async () => {
  save(metric('{CUBE}.amount').replace('extends', 'exends'));
  await says('model      refused', 'own.yaml:3');
  await shop.query('DELETE FROM bac.model_folders');
  await restartApi();
  await says('model      refused, only the product’s own files count', 'own.yaml:3');
  expect((await load({ measures: ['till.takings'] })).status).toBe(400);
  save(metric('{CUBE}.amount'));
  await becomes('5050');
});
