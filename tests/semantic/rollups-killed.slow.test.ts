import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { eventually } from '#tests/eventually';
import { testHub } from '#tests/hub';
import { seeded } from '#tests/random';

/** Roll-ups through a whole hub: changes stream in, the api is killed while it builds and refreshes, nothing differs. */

const KILLS = 2;
const MODEL = `cubes:
  - name: shop_orders
    pre_aggregations:
      - { name: by_day, measures: [count, amount_sum], dimensions: [kind], time_dimension: placed, granularity: day }
`;
const QUESTIONS = [
  { measures: ['shop_orders.count', 'shop_orders.amount_sum'], dimensions: ['shop_orders.kind'] },
  {
    measures: ['shop_orders.amount_sum'],
    timeDimensions: [{ dimension: 'shop_orders.placed', granularity: 'month' }],
  },
];

test('killed at whatever it does with a roll-up, the api comes back, and every answer is the raw one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bac-test-model-'));
  writeFileSync(join(folder, 'own.yaml'), MODEL);
  const random = seeded(5);
  let writing = true;
  let writer: Promise<void> = Promise.resolve();
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const hub = stack.use(await testHub({ env: { BAC_SEMANTIC_MODEL_DIR: folder } }));
  const shop = new pg.Client({ connectionString: hub.postgresUrl });
  shop.on('error', () => {}); // the hub is stopped while a failing test still holds it
  await shop.connect();
  stack.defer(() => shop.end());
  stack.defer(async () => {
    writing = false;
    await writer;
  });

  const load = async (
    query: object,
    rollups: boolean,
  ): Promise<{ data: object[]; rollups: string[] } | null> => {
    const response = await fetch(`${hub.addresses.http}/cubejs-api/v1/load`, {
      method: 'POST',
      headers: { authorization: `Bearer ${hub.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ query, rollups, cache: 'no-cache' }),
    }).catch(() => null); // it is being killed
    return response?.status === 200
      ? ((await response.json()) as { data: object[]; rollups: string[] })
      : null;
  };
  const rolledUp = () =>
    eventually(async () => {
      const answer = await load(QUESTIONS[0]!, true);
      return answer && answer.rollups.length > 0 ? answer : undefined;
    }, 60_000);
  const differences = async (): Promise<string> => (await hub.bac('model', 'rollups', '--check')).stdout;

  await shop.query(`CREATE TABLE orders (id bigint PRIMARY KEY, placed timestamptz NOT NULL, kind text NOT NULL, amount numeric(12, 2) NOT NULL);
    INSERT INTO orders SELECT g, timestamptz '2026-01-01 UTC' + g * interval '7 minutes', 'k' || g % 3, g FROM generate_series(1, 20000) g`);
  await hub.stream('shop', 'orders');

  writer = (async () => {
    for (let id = 20_001; writing; id += 1)
      await shop.query(`INSERT INTO orders VALUES (${id}, timestamptz '2026-01-01 UTC' + ${random.below(90)} * interval '1 day', 'k${random.below(3)}', ${random.below(1000)});
        UPDATE orders SET amount = amount + 1, placed = placed + interval '1 day' WHERE id = ${1 + random.below(20_000)};
        DELETE FROM orders WHERE id = ${1 + random.below(20_000)}`);
  })();

  for (let kill = 0; kill < KILLS; kill += 1) {
    // The first time it is killed while it builds, then while it refreshes what the writer changes without a pause.
    if (kill === 0) await eventually(async () => (await load(QUESTIONS[0]!, true)) ?? undefined, 30_000);
    else {
      await rolledUp();
      expect(await differences()).toContain(' 0 different');
    }
    const pid = hub.processes().api!;
    await new Promise((resolve) => setTimeout(resolve, random.below(300))); // at any moment of its work
    process.kill(pid, 'SIGKILL');
    await eventually(async () => (hub.processes().api !== pid ? true : undefined), 30_000);
  }
  await rolledUp();
  expect(await differences()).toContain(' 0 different');

  writing = false;
  await writer;
  const [{ n }] = (await shop.query<{ n: string }>('SELECT count(*) AS n FROM orders')).rows as [
    { n: string },
  ];
  await eventually(async () => {
    const answer = await load({ measures: ['shop_orders.count'] }, false);
    return answer && Object.values(answer.data[0]!)[0] === n ? true : undefined;
  }, 30_000);
  for (const query of QUESTIONS) {
    const rolled = await load(query, true);
    expect(rolled!.rollups).toEqual(['shop_orders.by_day']);
    expect(rolled!.data).toEqual((await load(query, false))!.data);
  }
  expect(await differences()).toMatch(/^[1-9]\d* questions compared, 0 different/m);
});
