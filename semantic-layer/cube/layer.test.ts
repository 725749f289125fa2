import { afterAll, beforeAll, expect, test } from 'vitest';
import { everythingProfile } from '#kernel';
import { type TestClickHouse, testClickHouse } from '#tests/clickhouse';
import type { Answer } from './answers.ts';
import { HandClock, MODEL, person, SETUP, shopLayer } from './testing/shop.ts';
import type { CubeLayer } from './types.ts';

let engine: TestClickHouse;
let layer: CubeLayer;
const clock = new HandClock();
const all = person(null);

beforeAll(async () => {
  engine = await testClickHouse();
  for (const sql of SETUP) await engine.warehouse.command(sql);
  layer = shopLayer(engine.warehouse, clock);
});
afterAll(async () => {
  await layer.close();
  await engine[Symbol.asyncDispose]();
});

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into member by member
const body = ({ body }: Answer): any => JSON.parse(body.toString());
const load = async (query: object, queryType?: string) =>
  body(await layer.rest.load(all, { query, queryType }));

test('answers in Cube’s default format, with where the numbers come from', async () => {
  const answer = await load({
    measures: ['orders.count', 'orders.revenue'],
    dimensions: ['orders.status'],
    order: { 'orders.status': 'asc' },
  });
  expect(answer.data).toEqual([
    { 'orders.status': 'new', 'orders.count': '1', 'orders.revenue': '10.1' },
    { 'orders.status': 'paid', 'orders.count': '2', 'orders.revenue': '50.5' },
  ]);
  expect(answer.annotation.measures['orders.revenue']).toMatchObject({
    title: 'Orders Revenue',
    format: 'currency',
  });
  expect(answer).toMatchObject({
    tables: ['shop.orders'],
    cached: false,
    truncated: false,
    freshness: { completeUpTo: clock.freshAt },
    slowQuery: false,
    total: null,
  });
});

test('compact format, granularities and time zones', async () => {
  const query = {
    measures: ['orders.count'],
    timeDimensions: [
      { dimension: 'orders.placed', granularity: 'month', dateRange: ['2026-01-01', '2026-02-28'] },
    ],
  };
  const compact = await load({ ...query, responseFormat: 'compact' });
  expect(compact.data).toEqual({
    members: ['orders.placed.month', 'orders.count', 'orders.placed'],
    dataset: [
      ['2026-01-01T00:00:00.000', '1', '2026-01-01T00:00:00.000'],
      ['2026-02-01T00:00:00.000', '2', '2026-02-01T00:00:00.000'],
    ],
  });
  // Half past eleven at night in UTC is the next month in Berlin.
  const berlin = await load({ ...query, timezone: 'Europe/Berlin' });
  expect(berlin.data).toEqual([
    {
      'orders.placed.month': '2026-02-01T00:00:00.000',
      'orders.placed': '2026-02-01T00:00:00.000',
      'orders.count': '3',
    },
  ]);
});

test('compares ranges, blends queries, counts the total, reads rows ungrouped', async () => {
  const compared = await load(
    {
      measures: ['orders.count'],
      timeDimensions: [
        {
          dimension: 'orders.placed',
          granularity: 'month',
          compareDateRange: [
            ['2026-01-01', '2026-01-31'],
            ['2026-02-01', '2026-02-28'],
          ],
        },
      ],
    },
    'multi',
  );
  expect(compared.queryType).toBe('compareDateRangeQuery');
  expect(compared.pivotQuery.dimensions).toEqual(['compareDateRange']);
  expect(compared.results.map(({ data }: { data: object[] }) => data)).toEqual([
    [
      expect.objectContaining({
        'orders.count': '1',
        compareDateRange: '2026-01-01T00:00:00.000 - 2026-01-31T23:59:59.999',
      }),
    ],
    [expect.objectContaining({ 'orders.count': '2' })],
  ]);
  const time = {
    timeDimensions: [
      { dimension: 'orders.placed', granularity: 'month', dateRange: ['2026-01-01', '2026-02-28'] },
    ],
  };
  const blended = await load(
    [
      { measures: ['orders.count'], ...time },
      { measures: ['orders.revenue'], ...time },
    ] as object,
    'multi',
  );
  expect(blended.pivotQuery).toMatchObject({ timeDimensions: [{ dimension: 'time', granularity: 'month' }] });
  expect(blended.results[1].data[0]).toMatchObject({
    'time.month': '2026-01-01T00:00:00.000',
    'orders.revenue': '10.1',
  });
  const total = await load({ dimensions: ['orders.status'], limit: 1, total: true });
  expect(total).toMatchObject({ total: 2 });
  expect(total.data).toHaveLength(1);
  const rows = await load({
    dimensions: ['orders.id', 'orders.big', 'orders.ok', 'orders.placed', 'orders.day', 'orders.paid'],
    ungrouped: true,
    order: { 'orders.id': 'asc' },
    limit: 1,
  });
  expect(rows.data).toEqual([
    {
      'orders.id': '1',
      'orders.big': '18446744073709551615',
      'orders.ok': true,
      'orders.placed': '2026-01-31T23:30:00.123',
      'orders.day': '2026-01-31T00:00:00.000',
      'orders.paid': null,
    },
  ]);
});

test('filters hold what they say, and text is never SQL', async () => {
  const count = async (...filters: object[]) =>
    (await load({ measures: ['orders.count'], filters })).data[0]['orders.count'];
  expect(await count({ member: 'orders.status', operator: 'equals', values: ['paid'] })).toBe('2');
  expect(await count({ member: 'orders.status', operator: 'contains', values: ["?' OR 1=1 --"] })).toBe('0');
  expect(
    await count({ member: 'orders.status', operator: 'equals', values: ['\\', "'?", '{bac_tenant:String}'] }),
  ).toBe('0');
  expect(await count({ member: 'orders.big', operator: 'equals', values: ['18446744073709551615'] })).toBe(
    '1',
  );
  expect(
    await count({ member: 'orders.day', operator: 'inDateRange', values: ['2026-02-01', '2026-02-01'] }),
  ).toBe('1');
  expect(await count({ member: 'orders.day', operator: 'afterDate', values: ['2026-02-01'] })).toBe('1');
  expect(await count({ member: 'orders.paid', operator: 'notSet' })).toBe('1');
});

test('a result is given again until a table changes, and identical questions share one run', async () => {
  const query = { measures: ['orders.revenue'] };
  await load(query);
  const before = layer.status();
  expect(await load(query)).toMatchObject({ cached: true, tables: ['shop.orders'] });
  expect(layer.status().answers.hits).toBe(before.answers.hits + 1);
  // The very bytes, until freshness has moved.
  const again = async () => (await layer.rest.load(all, { query })).body;
  const bytes = await again();
  expect(await again()).toBe(bytes);
  clock.freshAt = '2026-02-05T00:00:01.000Z';
  expect(JSON.parse((await again()).toString())).toMatchObject({
    cached: true,
    freshness: { completeUpTo: clock.freshAt },
  });
  await engine.warehouse.command(
    "INSERT INTO shop.orders VALUES (5, 'a', 'new', 5, '2026-02-03 11:00:00', '2026-02-03', NULL, 3, true, 1, 0)",
  );
  clock.tick();
  const runs = layer.status().results.runs;
  const together = await Promise.all(Array.from({ length: 20 }, () => load(query)));
  expect(together.map(({ data }) => data[0]['orders.revenue'])).toEqual(new Array(20).fill('65.6'));
  expect(layer.status().results.runs).toBe(runs + 1);
  await engine.warehouse.command('ALTER TABLE shop.orders DELETE WHERE id = 5 SETTINGS mutations_sync = 2');
  clock.tick();
});

test('parameters of the principal are bound, not written into the statement', async () => {
  const query = { measures: ['orders.count'] };
  const counts = await Promise.all(
    ['a', 'b'].map(
      async (tenant) => body(await layer.rest.load(person(tenant), { query })).data[0]['orders.count'],
    ),
  );
  expect(counts).toEqual(['2', '1']);
  const sql = await layer.sql(person('a'), query);
  expect(sql).toMatchObject({ params: { bac_tenant: 'a' }, tables: ['shop.orders'] });
  expect(sql.sql).toContain('{bac_tenant:String}');
});

test('internal callers get typed tables, and more rows than they can take are refused', async () => {
  const result = await layer.load(all, {
    measures: ['orders.count'],
    timeDimensions: [{ dimension: 'orders.placed', granularity: 'day' }],
    order: [['orders.placed', 'asc']],
  });
  expect(result.columns).toEqual([
    { name: 'orders.placed.day', kind: 'time', type: 'time' },
    { name: 'orders.count', kind: 'measure', type: 'number' },
  ]);
  expect(result.rows).toEqual([
    ['2026-01-31T00:00:00.000', '1'],
    ['2026-02-01T00:00:00.000', '1'],
    ['2026-02-03T00:00:00.000', '1'],
  ]);
  await expect(layer.load(all, { dimensions: ['orders.id'] }, { maxRows: 2 })).rejects.toMatchObject({
    code: 'QUERY_TOO_LARGE',
  });
  await expect(layer.load(all, { measures: ['orders.secret'] })).rejects.toMatchObject({
    code: 'QUERY_INVALID',
  });
  await expect(layer.load(all, { measures: ['orders.none'] })).rejects.toMatchObject({
    code: 'QUERY_INVALID',
  });
});

test('GraphQL is Cube’s own schema', async () => {
  const answer = body(
    await layer.graphql(all, {
      query: '{ cube(orderBy: {orders: {count: desc}}) { orders { count status placed { month } } } }',
    }),
  );
  expect(answer.data.cube[0]).toEqual({
    orders: { count: 2, status: 'paid', placed: { month: '2026-02-01T00:00:00.000Z' } },
  });
  expect(answer.extensions).toMatchObject({ tables: ['shop.orders'], truncated: false });
  const wrong = body(await layer.graphql(all, { query: '{ cube { orders { nothing } } }' }));
  expect(wrong.errors[0].message).toMatch(/nothing/);
});

test('meta names what there is, and hides what is not public', async () => {
  const { cubes } = await layer.meta(all);
  expect(cubes.map(({ name }) => name)).toEqual(['orders']);
  expect(cubes[0]!.measures.map(({ name }) => name)).toEqual(['orders.count', 'orders.revenue']);
  expect(cubes[0]!.measures[1]).toMatchObject({
    format: 'currency',
    description: 'What was sold.',
    aggType: 'sum',
  });
});

test('a table that comes is followed for who has asked before; a question for what is not there yet waits for it', async () => {
  const withMeasure = (name: string) => [
    {
      ...MODEL[0]!,
      content: MODEL[0]!.content.replace('measures: {', `measures: { ${name}: { type: 'count' },`),
    },
  ];
  /** A profile is another object as soon as its tables are others, and its model is made of it. */
  const profiles = ['first', 'second', 'third'].map((name) => ({
    ...everythingProfile([]),
    name,
    params: () => ({ bac_tenant: '' }),
  }));
  let now = 0;
  const other = shopLayer(engine.warehouse, clock, {
    profileOf: () => Promise.resolve(profiles[now]!),
    models: (profile) => Promise.resolve(withMeasure((profile as (typeof profiles)[number]).name)),
  });
  const names = () => other.status().models.map(({ version }) => version);
  const ask = (name: string) => other.rest.load(all, { query: { measures: [`orders.${name}`] } }, undefined);
  await ask('first');
  const before = names();
  now = 1;
  await other.refresh();
  expect(names()).not.toEqual(before);
  expect((await ask('second')).status).toBe(200);
  await expect(ask('first')).rejects.toMatchObject({ code: 'QUERY_INVALID' });
  now = 2;
  const third = { measures: ['orders.third'] };
  const [rest, port, ...others] = await Promise.all([
    ask('third'),
    other.load(all, third, { maxRows: 10 }),
    other.rest.sql(all, third),
    other.rest.dryRun(all, third),
    other.graphql(all, { query: '{ cube { orders { third } } }' }),
  ]);
  expect(rest.status).toBe(200);
  expect(port.rows).toHaveLength(1);
  expect(others.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(body(others[2]!)).toMatchObject({ data: { cube: [{ orders: { third: 3 } }] } });
  now = 1;
  await expect(ask('nothing')).rejects.toMatchObject({ code: 'QUERY_INVALID' });
  await other.close();
});

test('a new model takes over when it compiles; one that does not changes nothing but the status', async () => {
  let files = MODEL;
  const other = shopLayer(engine.warehouse, clock, { models: () => Promise.resolve(files) });
  const titles = async () => (await other.meta(all)).cubes[0]!.measures.map(({ title }) => title);
  expect(await titles()).toContain('Orders Orders');
  files = [{ ...MODEL[0]!, content: MODEL[0]!.content.replace("title: 'Orders'", "title: 'Sales'") }];
  await other.refresh();
  expect(await titles()).toContain('Orders Sales');
  files = [{ fileName: 'broken.yml', content: 'cubes:\n  - name: x\n    sql_table: y\n    joins: 3\n' }];
  await other.refresh();
  expect(await titles()).toContain('Orders Sales');
  expect(other.status().models[0]).toMatchObject({
    state: 'failed',
    error: expect.stringContaining('broken.yml'),
  });
  await other.close();
});
