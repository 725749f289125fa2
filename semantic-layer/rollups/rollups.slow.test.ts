import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SemanticQuery } from '#kernel';
import { type TestClickHouse, testClickHouse } from '#tests/clickhouse';
import { eventually } from '#tests/eventually';
import { CUSTOMERS, ORDER_COLUMNS, openWorld, person, SETUP, table, type World } from './testing/world.ts';

let engine: TestClickHouse;
let world: World;
const all = person('everything');

beforeAll(async () => {
  engine = await testClickHouse();
  for (const sql of SETUP) await engine.warehouse.command(sql);
  await engine.warehouse.command(
    `INSERT INTO shop.orders SELECT number, ['a', 'b'][number % 2 + 1], toUUID(['11111111-1111-1111-1111-111111111111', '22222222-2222-2222-2222-222222222222'][number % 3 % 2 + 1]),
       ['new', 'paid', 'gone'][number % 3 + 1], if(number % 5 = 0, NULL, 'n' || number % 4), number % 7, number * 1.37, if(number % 4 = 0, NULL, number / 3), number % 100,
       if(number % 50 = 0, NULL, toDateTime64('2026-01-01 00:00:00', 6, 'UTC') + toIntervalMinute(number * 97)), 1, 0 FROM numbers(2000)`,
  );
  await engine.warehouse.command(
    `INSERT INTO shop.customers SELECT number, ['north', 'south'][number % 2 + 1], 1, 0 FROM numbers(6)`,
  );
  world = openWorld(engine.warehouse);
});
afterAll(async () => {
  await world?.close();
  await engine?.[Symbol.asyncDispose]();
});

const QUESTIONS: readonly (readonly [string | null, SemanticQuery])[] = [
  ['sales.by_day', { measures: ['sales.count', 'sales.revenue'], dimensions: ['sales.status'] }],
  [
    'sales.by_day',
    {
      measures: [
        'sales.average',
        'sales.least',
        'sales.most',
        'sales.paid',
        'sales.paid_count',
        'sales.discounts',
      ],
      timeDimensions: [{ dimension: 'sales.placed_at', granularity: 'week' }],
    },
  ],
  [
    'sales.by_day',
    { measures: ['sales.typical', 'sales.typical_paid', 'sales.count'], dimensions: ['sales.status'] },
  ],
  [null, { measures: ['sales.as_typical'], dimensions: ['sales.status'] }],
  [
    'sales.by_day',
    {
      measures: ['sales.most', 'sales.discounts', 'sales.count', 'sales.typical'],
      filters: [{ member: 'sales.status', operator: 'equals', values: ['none'] }],
    },
  ],
  [
    'sales.by_hour',
    {
      measures: ['sales.count'],
      timeDimensions: [
        {
          dimension: 'sales.placed_at',
          granularity: 'hour',
          dateRange: ['2026-02-01T05:00:00', '2026-02-03T06:59:59.999'],
        },
      ],
    },
  ],
  ['sales.by_region', { measures: ['sales.count', 'sales.most'], dimensions: ['shop_customers.region'] }],
  [
    null,
    {
      measures: ['sales.count'],
      timeDimensions: [
        {
          dimension: 'sales.placed_at',
          granularity: 'day',
          dateRange: ['2026-02-01T05:30:00', '2026-02-03'],
        },
      ],
    },
  ],
  [null, { measures: ['sales.count'], dimensions: ['sales.customer_id'] }],
  [null, { measures: ['sales.mass'] }],
  // Bounds of days elsewhere are bounds of hours in UTC, where offsets are whole hours.
  ...['hour', 'day', 'week', 'month'].map((granularity): [string, SemanticQuery] => [
    'sales.by_hour',
    {
      measures: ['sales.count', 'sales.revenue'],
      timeDimensions: [
        { dimension: 'sales.placed_at', granularity, dateRange: ['2026-02-03', '2026-04-19'] },
      ],
      timezone: 'Europe/Vienna',
    },
  ]),
  [
    'sales.by_hour',
    {
      measures: ['sales.revenue'],
      timeDimensions: [{ dimension: 'sales.placed_at', granularity: 'month' }],
      timezone: 'Europe/Vienna',
    },
  ],
  [
    null,
    {
      measures: ['sales.count'],
      timeDimensions: [{ dimension: 'sales.placed_at', granularity: 'day' }],
      timezone: 'Asia/Kolkata',
    },
  ],
  [
    null,
    {
      measures: ['sales.most'],
      timeDimensions: [{ dimension: 'sales.placed_at', granularity: 'day' }],
      timezone: 'Europe/Vienna',
    },
  ],
  [
    null,
    {
      measures: ['sales.count'],
      filters: [{ member: 'sales.placed_at', operator: 'afterDate', values: ['2026-02-01'] }],
    },
  ],
];

const sorted = (rows: readonly (readonly unknown[])[]): string[] =>
  rows.map((row) => JSON.stringify(row)).sort();

async function both(query: SemanticQuery, who = all) {
  const rolled = await world.layer.load(who, query);
  const raw = await world.layer.load(who, query, { rollups: false });
  expect(raw.rollups).toEqual([]);
  expect(sorted(rolled.rows)).toEqual(sorted(raw.rows));
  return rolled;
}

test('questions are answered from a roll-up where that is exact, with the same rows', async () => {
  await both(QUESTIONS[0]![1]);
  await world.rollups.work();
  const status = await world.rollups.status();
  expect(status.map(({ name, state, error }) => [name, state, error])).toEqual([
    ['sales.by_day', 'ready', null],
    ['sales.by_hour', 'ready', null],
    ['sales.by_region', 'ready', null],
    ['sales.by_mass', 'refused', expect.stringContaining('floating point')],
  ]);
  world.clock.tick();
  for (const [from, query] of QUESTIONS) {
    const { rollups } = await both(query);
    expect([from, query]).toEqual([rollups![0] ?? null, query]);
  }
});

test('an average in a roll-up is what ClickHouse has for it, and is still told of as one', async () => {
  for (const dimensions of [[], ['sales.status'], ['sales.note', 'sales.tenant_id']]) {
    const ask = async (...measures: string[]) =>
      sorted(
        (await world.layer.load(all, { measures: measures.map((name) => `sales.${name}`), dimensions })).rows,
      );
    expect(await ask('typical', 'typical_paid')).toEqual(await ask('as_typical', 'as_typical_paid'));
  }
  const { cubes } = await world.layer.meta(all);
  const measures = cubes.find(({ name }) => name === 'sales')!.measures;
  expect(
    measures.filter(({ name }) => name.includes('typical')).map(({ name, aggType }) => [name, aggType]),
  ).toEqual(
    ['typical', 'typical_paid', 'as_typical', 'as_typical_paid'].map((name) => [`sales.${name}`, 'avg']),
  );
});

test('changes are in the answer at once, before and after the roll-up is refreshed', async () => {
  const query: SemanticQuery = {
    measures: ['sales.count', 'sales.revenue', 'sales.least'],
    timeDimensions: [{ dimension: 'sales.placed_at', granularity: 'day' }],
  };
  const row = (id: number, at: string | null, version: number, deleted = 0): Promise<void> =>
    engine.warehouse.command(
      `INSERT INTO shop.orders SELECT ${id}, 'a', toUUID('11111111-1111-1111-1111-111111111111'), 'new', NULL, 1, 0.01, 1, 1, ${at === null ? 'NULL' : `'${at}'`}, ${version}, ${deleted}`,
    );
  const ask = async (from: string) => {
    const answer = await both(query);
    expect(answer.rollups).toEqual([from]);
    world.clock.tick();
    return answer;
  };
  await row(100_001, '2026-01-05 10:00:00', 2);
  world.clock.tick();
  expect((await ask('sales.by_day')).rows).toContainEqual([
    '2026-01-05T00:00:00.000',
    '16',
    expect.anything(),
    '0.01',
  ]);
  await row(100_001, '2026-01-06 10:00:00', 3);
  await ask('sales.by_day');
  await world.rollups.work();
  await ask('sales.by_day');
  await engine.warehouse.command('OPTIMIZE TABLE shop.orders FINAL');
  await row(100_001, null, 4);
  await ask('sales.by_day');
  await engine.warehouse.command('OPTIMIZE TABLE shop.orders FINAL');
  await world.rollups.work();
  await ask('sales.by_day');
  await row(100_001, null, 5, 1);
  await ask('sales.by_day');
  await world.rollups.work();
  await ask('sales.by_day');
  const [day] = await world.rollups.status();
  expect(day).toMatchObject({ state: 'ready', builds: 1, fallbacks: 0 });
  expect(day!.refreshes).toBeGreaterThanOrEqual(3);
});

test('while nothing was stored since its refresh, a roll-up is asked alone; rows stored are found out once', async () => {
  const runsFor = async (status: string): Promise<number> => {
    const before = world.layer.status().results.runs;
    const query = {
      measures: ['sales.count'],
      filters: [{ member: 'sales.status', operator: 'notEquals', values: [status] }],
    };
    expect((await world.layer.load(all, query)).rollups).toEqual(['sales.by_day']);
    return world.layer.status().results.runs - before;
  };
  await world.rollups.work();
  expect([await runsFor('a'), await runsFor('b')]).toEqual([1, 1]);
  await engine.warehouse.command(
    "INSERT INTO shop.orders SELECT 100002, 'a', toUUID('11111111-1111-1111-1111-111111111111'), 'new', NULL, 1, 1, 1, 1, '2026-01-05 10:00:00', 6, 0",
  );
  expect([await runsFor('c'), await runsFor('d')]).toEqual([2, 1]);
  world.clock.tick();
  await world.rollups.work();
  expect(await runsFor('e')).toBe(1);
});

test('what a roll-up has no row of is found all the same, once it is stored', async () => {
  let limit = 1000;
  // Not told of what is stored: it is found out by the statement itself.
  const counted = async (member: string, value: string): Promise<unknown> => {
    limit += 1;
    const filters = [{ member, operator: 'equals' as const, values: [value] }];
    return (await both({ measures: ['sales.count'], filters, limit })).rows[0]![0];
  };
  await world.rollups.work();
  const fresh = () => counted('sales.status', 'fresh');
  const west = () => counted('shop_customers.region', 'west');
  world.clock.tick();
  expect([await fresh(), await west()]).toEqual(['0', '0']);
  await engine.warehouse.command(
    "INSERT INTO shop.orders SELECT 100003, 'a', toUUID('11111111-1111-1111-1111-111111111111'), 'fresh', NULL, 1, 1, 1, 1, '2026-01-05 10:00:00', 7, 0",
  );
  expect(await fresh()).toBe('1');
  await engine.warehouse.command("INSERT INTO shop.customers VALUES (5, 'west', 2, 0)");
  expect(Number(await west())).toBeGreaterThan(100);
  await engine.warehouse.command("INSERT INTO shop.customers VALUES (5, 'south', 3, 0)");
  world.clock.tick();
  await world.rollups.work();
});

test('each sees what its rule lets through, from roll-ups whose columns can tell, else raw', async () => {
  const query: SemanticQuery = { measures: ['sales.count', 'sales.revenue'], dimensions: ['sales.status'] };
  for (const [role, from] of [
    ['tenant', 'sales.by_day'],
    ['owner', 'sales.by_day'],
    ['light', undefined],
    ['masked', undefined],
  ] as const)
    for (const tenant of ['a', 'b', 'c']) {
      const answer = await both(query, person(role, tenant));
      expect([role, answer.rollups?.[0]]).toEqual([role, from]);
    }
  const joined = await both(
    { measures: ['sales.count'], dimensions: ['shop_customers.region'] },
    person('tenant'),
  );
  expect(joined.rollups).toEqual([]);
});

test('a joined table that changed means raw answers until the roll-up is built anew', async () => {
  const query: SemanticQuery = { measures: ['sales.count'], dimensions: ['shop_customers.region'] };
  await engine.warehouse.command(`INSERT INTO shop.customers SELECT 3, 'west', 2, 0`);
  // Not told yet: found out by the statement itself.
  expect((await both({ ...query, limit: 11 })).rollups).toEqual([]);
  world.clock.tick();
  expect((await both(query)).rollups).toEqual([]);
  await world.rollups.work();
  world.clock.tick();
  expect((await both(query)).rollups).toEqual(['sales.by_region']);
});

test('work that is asked for is done, however short ago the last was', async () => {
  const query: SemanticQuery = { measures: ['sales.count'], dimensions: ['shop_customers.region'] };
  for (const version of [10, 11, 12]) {
    await engine.warehouse.command(`INSERT INTO shop.customers SELECT 3, 'west', ${version}, 0`);
    await world.rollups.work();
    world.clock.tick();
    expect((await both(query)).rollups).toEqual(['sales.by_region']);
  }
});

test('a difference takes a roll-up out of use until it is built anew', async () => {
  const query: SemanticQuery = { measures: ['sales.count'], dimensions: ['sales.status'] };
  world.clock.tick();
  expect((await world.layer.load(all, query)).rollups).toEqual(['sales.by_day']);
  expect(await world.rollups.check()).toMatchObject({ different: 0 });
  const [{ name }] = (await engine.warehouse.query<{ name: string }>(
    `SELECT name FROM system.tables WHERE database = 'bac_rollups' AND name LIKE 'sales_by_day%__data'`,
  )) as [{ name: string }];
  await engine.warehouse.command(
    `ALTER TABLE bac_rollups.\`${name}\` UPDATE sales__count = sales__count + 1 WHERE sales__status = 'new' SETTINGS mutations_sync = 2`,
  );
  const { different, differences } = await world.rollups.check();
  expect(different).toBeGreaterThan(0);
  expect(differences[0]).toContain('sales.by_day');
  await world.rollups.work();
  world.clock.tick();
  expect((await both(query)).rollups).toEqual(['sales.by_day']);
  expect(await world.rollups.check()).toMatchObject({ different: 0 });
});

test('another process answers from what the first keeps, without keeping anything itself', async () => {
  const other = openWorld(engine.warehouse, () => Promise.resolve(null));
  try {
    const query: SemanticQuery = { measures: ['sales.revenue'], dimensions: ['sales.status'] };
    await engine.warehouse.command(
      `INSERT INTO shop.orders SELECT 100_002, 'a', generateUUIDv4(), 'new', NULL, 1, 7, 1, 1, '2026-03-01 00:00:00', 9, 0`,
    );
    const raw = await other.layer.load(all, query, { rollups: false });
    await other.rollups.work();
    const rolled = await other.layer.load(all, { ...query, limit: 99 });
    expect(rolled.rollups).toEqual(['sales.by_day']);
    expect(sorted(rolled.rows)).toEqual(sorted(raw.rows));
    expect((await other.rollups.status())[0]).toMatchObject({ state: 'waiting', inUse: true, builds: 0 });
  } finally {
    await other.close();
  }
});

test('a table of another shape, or read anew, is asked raw until its roll-ups are built anew', async () => {
  const query: SemanticQuery = { measures: ['sales.count'], dimensions: ['sales.tenant_id'] };
  const { warehouse } = engine;
  const rebuilt = async (what: string): Promise<void> => {
    world.clock.tick();
    expect([what, (await both(query)).rollups]).toEqual([what, []]);
    await eventually(async () => {
      await world.rollups.work();
      world.clock.tick();
      return (await both(query)).rollups!.length > 0 ? true : undefined;
    }, 20_000);
  };
  await warehouse.command("ALTER TABLE shop.orders ADD COLUMN gift String DEFAULT 'no' AFTER weight");
  await world.reshape([table('orders', { ...ORDER_COLUMNS, gift: 'text' }), CUSTOMERS]);
  await rebuilt('another shape');
  await warehouse.command('CREATE TABLE shop.orders__g2 AS shop.orders');
  await warehouse.command(
    'INSERT INTO shop.orders__g2 SELECT * REPLACE (bitShiftLeft(toUInt64(2), 52) AS _version) FROM shop.orders FINAL WHERE _deleted = 0 AND id % 3 = 0',
  );
  await warehouse.command('EXCHANGE TABLES shop.orders AND shop.orders__g2');
  // Not told yet: the statement itself finds it out.
  const answer = await both({ ...query, limit: 77 });
  expect(answer.rollups).toEqual([]);
  await rebuilt('read anew');
});

test('a time that cannot be rounded exactly has its table asked raw', async () => {
  const query: SemanticQuery = {
    measures: ['sales.count'],
    timeDimensions: [{ dimension: 'sales.placed_at', granularity: 'year' }],
  };
  await engine.warehouse.command(
    `INSERT INTO shop.orders (id, tenant_id, status, placed_at, _version) VALUES (100_003, 'a', 'new', '1950-05-05 00:00:00', ${2n ** 53n + 1n})`,
  );
  expect((await both(query)).rollups).toEqual([]);
  await world.rollups.work();
  world.clock.tick();
  expect((await both(query)).rollups).toEqual([]);
});

test('a day without a time begins where the question is asked from: elsewhere it is asked raw', async () => {
  const visits = table('visits', { id: 'id', day: 'date' });
  await engine.warehouse.command(
    `CREATE TABLE shop.visits (id Int64, day Date32, _version UInt64, _deleted UInt8 DEFAULT 0)
      ENGINE = ReplacingMergeTree(_version, _deleted) ORDER BY id`,
  );
  await engine.warehouse.command(
    "INSERT INTO shop.visits SELECT number, toDate32('2026-03-01') + number % 40, 1, 0 FROM numbers(400)",
  );
  const other = openWorld(engine.warehouse, undefined, {
    fileName: 'visits.yaml',
    content: `cubes:
  - name: shop_visits
    pre_aggregations:
      - { name: by_hour, measures: [count], time_dimension: day, granularity: hour }
`,
  });
  try {
    await other.reshape([visits]);
    for (const [timezone, from] of [
      ['UTC', ['shop_visits.by_hour']],
      ['Europe/Vienna', []],
    ] as const) {
      const query = {
        measures: ['shop_visits.count'],
        timeDimensions: [
          { dimension: 'shop_visits.day', granularity: 'day', dateRange: ['2026-03-02', '2026-03-30'] },
        ],
        timezone,
      };
      await other.layer.load(all, query);
      await other.rollups.work();
      other.clock.tick();
      const rolled = await other.layer.load(all, query);
      expect(rolled.rollups).toEqual(from);
      expect(rolled.rows).toEqual((await other.layer.load(all, query, { rollups: false })).rows);
      expect(rolled.rows).toHaveLength(29);
    }
  } finally {
    await other.close();
  }
});
