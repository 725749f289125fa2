import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { everythingProfile, silentLogger } from '#kernel';
import { generateModel } from '../generate/index.ts';
import { CUSTOMERS, MODEL, ORDERS } from '../rollups/testing/world.ts';
import { openPlanner, type Planner } from './planner/index.ts';
import { Plans } from './plans.ts';

let planner: Planner;
let model: string;
let plans: Plans;

beforeAll(async () => {
  planner = openPlanner(silentLogger(), () => null, null);
  const tables = [ORDERS, CUSTOMERS];
  const files = generateModel({ tables, entities: [], curated: [MODEL] }, everythingProfile(tables));
  model = (await planner.call('compile', 'forms', { files }, null))!.key;
});
afterAll(() => planner.release());
beforeEach(() => {
  plans = new Plans();
});

/** As Cube plans the very question. */
const exact = async (query: unknown, queryType?: string): Promise<unknown> =>
  JSON.parse(await planner.call('plan', model, query, queryType));
const planned = (query: unknown, queryType?: string) => plans.of(planner, model, query, queryType);
const agrees = async (query: unknown, queryType?: string): Promise<void> => {
  expect(await planned(query, queryType)).toEqual(await exact(query, queryType));
};

const COUNT = { measures: ['sales.count'] };
const equals = (...values: unknown[]) => ({ member: 'sales.status', operator: 'equals', values });

test('questions of one form are planned once, each with its own values', async () => {
  const asked = (status: string, least: string, limit: number) => ({
    measures: ['sales.count', 'sales.revenue'],
    dimensions: ['shop_customers.region'],
    timeDimensions: [{ dimension: 'sales.placed_at', granularity: 'month', dateRange: 'this year' }],
    filters: [
      { or: [equals(status), { member: 'sales.tenant_id', operator: 'contains', values: ['a'] }] },
      { member: 'sales.revenue', operator: 'gt', values: [least] },
    ],
    limit,
    offset: limit,
  });
  const all = [
    asked('new', '5', 10),
    asked(`it's "\\ ? {x:String}`, '-5.0', 50_000),
    asked('new\n?', '007', 1_000_000),
  ];
  for (const query of all) await agrees(query);
  expect(plans.made).toBe(1);
  await agrees({ ...all[0]!, total: true });
  await agrees([all[1], { ...COUNT, limit: 7 }], 'multi');
  expect(plans.made).toBe(3);
  const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `value ${index}`);
  for (const count of [499, 500, 501])
    await agrees({ ...COUNT, filters: [equals(...many(count))], limit: 5 });
});

test('what a value decides of a plan is part of the form', async () => {
  for (const filters of [
    [equals('new', 'paid')],
    [equals('new', 'new')],
    [equals('new', null)],
    [equals(null)],
    [equals('')],
    [equals('true')],
    [equals('2026-01-01')],
    [equals(5)],
    [equals('5')],
    [equals('new'), equals('new')],
    [equals('new'), equals('paid')],
    [{ member: 'sales.status', operator: 'contains', values: ['50%_\\'] }],
    [{ member: 'sales.status', operator: 'contains', values: ['50'] }],
    [{ member: 'sales.status', operator: 'set', values: ['x'] }],
    [{ member: 'sales.placed_at', operator: 'equals', values: ['now'] }],
    [{ member: 'sales.placed_at', operator: 'afterDate', values: ['2026-01-01'] }],
    [{ member: 'sales.placed_at', operator: 'inDateRange', values: ['2026-01-01', '2026-02-01'] }],
  ])
    await agrees({ ...COUNT, filters });
});

test('what Cube refuses is refused in its words, with the values that were asked', async () => {
  for (const query of [
    { ...COUNT, filters: [{ member: 'sales.nothing', operator: 'equals', values: ['x'] }] },
    { ...COUNT, filters: [{ member: 'sales.status', operator: 'resembles', values: ['x'] }] },
    { ...COUNT, filters: [{ member: 'sales.status', operator: 'equals', values: [{}] }] },
    { ...COUNT, filters: 'sales.status' },
    { ...COUNT, filters: [null] },
    { ...COUNT, limit: -1 },
    { ...COUNT, limit: 5_000_000 },
    { ...COUNT, limit: 1.5 },
    null,
    [],
  ]) {
    const [ours, theirs] = [await planned(query).catch(String), await exact(query).catch(String)];
    expect([query, ours]).toEqual([query, theirs]);
    expect(JSON.stringify(ours)).not.toMatch(/bac\w{6,}q\d+z/);
  }
});

/** The same question with these texts in the place of its first ones, and other limits. */
function withOthers(query: unknown, texts: readonly string[]): unknown {
  const left = [...texts];
  const replaced = (key: string, value: unknown): unknown => {
    if (key === 'values')
      return (value as unknown[]).map((one) => (one === null ? one : (left.shift() ?? one)));
    return key === 'limit' && Number(value) >= 1 ? Math.ceil(Number(value) / 3) : value;
  };
  return JSON.parse(JSON.stringify(query, replaced));
}

test('random questions have the plans that Cube makes of them', async () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.constantFrom('new', 'paid', 'a', 'it’s', "'", '?', '??', 'toFloat64(?)', '\\', '`', 'LIMIT 5', 'null'),
    fc.double({ noDefaultInfinity: true, noNaN: true }).map(String),
    fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map(String),
    fc.constantFrom('0', '-0', '007', '5.0', '1e5', '.5', '1.', ' 5', '0x10'),
  );
  const values = fc.array(fc.oneof({ weight: 9, arbitrary: text }, fc.constantFrom(null, 5, true)), {
    minLength: 1,
    maxLength: 3,
  });
  const leaf = fc.record({
    member: fc.constantFrom(
      ...['sales.status', 'sales.note', 'sales.customer_id', 'sales.amount', 'sales.weight', 'sales.owner'],
      ...['shop_customers.region', 'sales.placed_at'],
    ),
    operator: fc.constantFrom(
      ...['equals', 'notEquals', 'contains', 'notContains', 'startsWith', 'notEndsWith'],
      ...['gt', 'lte', 'set', 'notSet', 'beforeDate'],
    ),
    values,
  });
  const having = fc.record({
    member: fc.constantFrom('sales.count', 'sales.revenue', 'sales.average'),
    operator: fc.constantFrom('equals', 'gt', 'lte'),
    values,
  });
  const group = fc.oneof(
    { weight: 4, arbitrary: leaf },
    fc.record({ and: fc.array(leaf, { minLength: 1, maxLength: 2 }) }),
    fc.record({ or: fc.array(leaf, { minLength: 1, maxLength: 3 }) }),
  );
  const count = fc.oneof(fc.integer({ min: 1, max: 1_000_001 }), fc.constantFrom(0, -1, 0.5, null));
  const query = fc.record(
    {
      measures: fc.subarray(['sales.count', 'sales.revenue', 'sales.typical'], { minLength: 1 }),
      dimensions: fc.subarray(['sales.status', 'shop_customers.region', 'sales.customer_id']),
      timeDimensions: fc.constantFrom(
        [],
        [
          {
            dimension: 'sales.placed_at',
            granularity: 'day',
            dateRange: ['2026-01-05', '2026-02-03T05:00:00'],
          },
        ],
        [
          {
            dimension: 'sales.placed_at',
            compareDateRange: [
              ['2026-01-01', '2026-01-31'],
              ['2026-02-01', '2026-02-28'],
            ],
          },
        ],
        [{ dimension: 'sales.placed_at', granularity: 'month', dateRange: 'last 3 months' }],
      ),
      filters: fc
        .tuple(fc.array(group, { maxLength: 3 }), fc.array(having, { maxLength: 1 }))
        .map((all) => all.flat()),
      limit: count,
      offset: count,
      timezone: fc.constantFrom('UTC', 'Europe/Vienna'),
      total: fc.boolean(),
      ungrouped: fc.boolean(),
    },
    { requiredKeys: ['measures'] },
  );
  await fc.assert(
    fc.asyncProperty(query, fc.array(query, { maxLength: 1 }), fc.array(text), async (one, more, others) => {
      const first = more.length > 0 ? [one, ...more] : one;
      const type = more.length > 0 ? 'multi' : undefined;
      for (const asked of [first, withOthers(first, others), first]) {
        const [ours, theirs] = [
          await planned(asked, type).catch(String),
          await exact(asked, type).catch(String),
        ];
        expect(ours).toEqual(theirs);
      }
    }),
    { numRuns: Number(process.env.RUNS ?? 150) },
  );
});
