import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SemanticQuery } from '#kernel';
import { type TestClickHouse, testClickHouse } from '#tests/clickhouse';
import { eventually } from '#tests/eventually';
import { type Random, seeded } from '#tests/random';
import { alwaysRight, openWorld, person, SETUP, type World } from './testing/world.ts';

/** Random changes and questions: with and without roll-ups the same rows, at any moment and after any interruption. */

let engine: TestClickHouse;
let version = 1;

beforeAll(async () => {
  engine = await testClickHouse();
  for (const sql of SETUP) await engine.warehouse.command(sql);
  await engine.warehouse.command(
    "INSERT INTO shop.customers SELECT number, 'r' || number % 3, 1, 0 FROM numbers(8)",
  );
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
});

const quoted = (value: string | null): string => (value === null ? 'NULL' : `'${value}'`);
const OWNERS = ['11111111-1111-1111-1111-111111111111', '22222222-2222-2222-2222-222222222222'];

function row(random: Random, id: number, at: number): string {
  const day = String(1 + random.below(12)).padStart(2, '0');
  const time = random.chance(0.1)
    ? null
    : `2026-0${1 + random.below(2)}-${day} ${10 + random.below(10)}:00:00.123456`;
  return `(${id}, '${random.pick(['a', 'b'])}', '${random.pick(OWNERS)}', '${random.pick(['new', 'paid', 'gone'])}',
    ${quoted(random.pick([null, 'x', 'y']))}, ${random.below(10)}, ${random.below(100_000) / 100}, ${random.chance(0.3) ? 'NULL' : random.below(1000) / 100},
    ${random.below(100)}, ${quoted(time)}, ${at}, 0)`;
}

/** A batch as a sink stores one: new rows, changes, deletions, and now and then what was stored before once more. */
function batch(random: Random): string {
  const rows: string[] = [];
  for (let count = 1 + random.below(8); count > 0; count -= 1) {
    const id = random.below(60);
    version += 1;
    const at = random.chance(0.1) ? Math.max(2, version - random.below(40)) : version;
    rows.push(
      random.chance(0.2)
        ? `(${id}, '', toUUID('00000000-0000-0000-0000-000000000000'), '', NULL, 0, 0, NULL, 0, NULL, ${at}, 1)`
        : row(random, id, at),
    );
  }
  return `INSERT INTO shop.orders VALUES ${rows.join(', ')}`;
}

function question(random: Random): SemanticQuery {
  const some = <T>(from: readonly T[]): T[] => from.filter(() => random.chance(0.4));
  const measures = some([
    ...['count', 'revenue', 'discounts', 'paid', 'paid_count', 'least', 'most'],
    ...['average', 'typical', 'typical_paid'],
  ]);
  const time = random.pick([
    [],
    [{ dimension: 'sales.placed_at', granularity: random.pick(['hour', 'day', 'week', 'month', 'year']) }],
    [{ dimension: 'sales.placed_at', granularity: 'day', dateRange: ['2026-01-03', '2026-02-05'] }],
    [{ dimension: 'sales.placed_at', dateRange: ['2026-01-01', '2026-01-31'] }],
    [{ dimension: 'sales.placed_at', dateRange: ['2026-01-04T12:00:00', '2026-01-31'] }],
  ]);
  const filters = random.pick([
    [],
    [{ member: 'sales.status', operator: 'notEquals', values: ['gone'] }],
    [{ member: 'sales.note', operator: 'notSet' }],
    [
      {
        or: [
          { member: 'sales.note', operator: 'equals', values: ['x'] },
          { member: 'sales.tenant_id', operator: 'equals', values: ['b'] },
        ],
      },
    ],
    [{ member: 'sales.revenue', operator: 'gt', values: ['500'] }],
  ]);
  return {
    measures: (measures.length > 0 ? measures : ['count']).map((name) => `sales.${name}`),
    dimensions: random.chance(0.25)
      ? ['shop_customers.region']
      : some(['tenant_id', 'status', 'note', 'owner']).map((name) => `sales.${name}`),
    timeDimensions: time,
    filters,
  };
}

const sorted = (rows: readonly (readonly unknown[])[]): string[] =>
  rows.map((one) => JSON.stringify(one)).sort();

/** From elsewhere, of what the roll-up by hours holds. */
function fromElsewhere(random: Random): SemanticQuery {
  const { timeDimensions } = question(random);
  return {
    measures: random.pick([['sales.count'], ['sales.count', 'sales.revenue']]),
    dimensions: random.pick([[], ['sales.tenant_id']]),
    timeDimensions,
    timezone: random.pick(['Europe/Vienna', 'America/New_York', 'Asia/Kolkata', 'America/Goose_Bay']),
  };
}

/** Nothing changes meanwhile: two statements see one state. True if a roll-up answered. */
async function same({ layer }: World, random: Random, about: string): Promise<boolean> {
  const query = random.chance(0.3) ? fromElsewhere(random) : question(random);
  const who = person(
    random.pick(['everything', 'everything', 'tenant', 'owner', 'light', 'masked']),
    random.pick(['a', 'b']),
  );
  const rolled = await layer.load(who, query);
  const raw = await layer.load(who, query, { rollups: false });
  expect({ about, who: who.roles, query, rollups: rolled.rollups, rows: sorted(rolled.rows) }).toEqual({
    about,
    who: who.roles,
    query,
    rollups: rolled.rollups,
    rows: sorted(raw.rows),
  });
  return rolled.rollups!.length > 0;
}

test.each([1, 2])('seed %i: changes of every kind, refreshes done, left out and broken off', async (seed) => {
  const random = seeded(seed);
  const { warehouse } = engine;
  let world = openWorld(warehouse);
  let through = 0;
  try {
    await same(world, random, 'begin');
    await world.rollups.work();
    for (let step = 0; step < 20; step += 1) {
      const act = random.below(10);
      if (act < 6) await warehouse.command(batch(random));
      else if (act === 6) await warehouse.command('OPTIMIZE TABLE shop.orders FINAL');
      else if (act === 7) {
        version += 1;
        await warehouse.command(
          `INSERT INTO shop.customers VALUES (${random.below(12)}, 'r${random.below(4)}', ${version}, ${random.chance(0.2) ? 1 : 0})`,
        );
      } else if (act === 8) {
        // Broken off at whatever it does, and another process goes on.
        void world.rollups.work();
        await new Promise((resolve) => setTimeout(resolve, random.below(120)));
        await world.close();
        world = openWorld(warehouse);
      }
      // Told of, or not yet.
      if (random.chance(0.7)) world.clock.tick();
      if (random.chance(0.5)) await world.rollups.work();
      for (const turn of [1, 2])
        if (await same(world, random, `seed ${seed} step ${step} question ${turn}`)) through += 1;
    }
    expect(through).toBeGreaterThan(5);
  } finally {
    await world.close();
  }
});

test('while rows are written all the time: roll-up and raw in one statement, over one state', async () => {
  const random = seeded(7);
  const { warehouse } = engine;
  const world = openWorld(warehouse);
  let writing = true;
  const writer = (async () => {
    while (writing) {
      await warehouse.command(batch(random));
      world.clock.tick();
      void world.rollups.work();
    }
  })();
  try {
    const asked = seeded(8);
    let compared = 0;
    for (let round = 0; compared <= 10 && round < 30; round += 1) {
      for (let count = 0; count < 4; count += 1)
        await world.layer.load(person('everything'), question(asked));
      const report = await world.rollups.check();
      expect(report.differences).toEqual([]);
      compared += report.compared;
    }
    expect(compared).toBeGreaterThan(10);
  } finally {
    writing = false;
    await writer;
    await world.close();
  }
});

test('killed in the midst of refreshes and builds, the engine comes back with the old or the new state', async () => {
  const random = seeded(11);
  const right = alwaysRight();
  const world = openWorld(engine.warehouse, right);
  const about = { measures: ['sales.count'], dimensions: ['sales.status'] };
  try {
    for (let round = 0; round < 3; round += 1) {
      await engine.warehouse.command(batch(random));
      world.clock.tick();
      const work = world.rollups.work();
      await new Promise((resolve) => setTimeout(resolve, random.below(150)));
      await engine.kill9();
      await engine.restart();
      await work;
      await eventually(async () => ((await engine.warehouse.ping()) ? true : undefined), 20_000);
      world.clock.tick();
      for (let count = 0; count < 3; count += 1) await same(world, random, `round ${round}`);
    }
    const answer = await eventually(async () => {
      await world.rollups.work();
      world.clock.tick();
      const one = await world.layer.load(person('everything'), about);
      return one.rollups!.length > 0 ? one : undefined;
    }, 20_000);
    const raw = await world.layer.load(person('everything'), about, { rollups: false });
    expect(sorted(answer.rows)).toEqual(sorted(raw.rows));
  } finally {
    await world.close();
  }
});
