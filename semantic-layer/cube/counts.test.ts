import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ModelFile, SemanticQuery } from '#kernel';
import { type TestClickHouse, testClickHouse } from '#tests/clickhouse';
import { HandClock, person, shopLayer } from './testing/shop.ts';
import type { CubeLayer } from './types.ts';

/** Orders of which some have no customer, some no state, one is gone, and one was stored in two versions. */
const SETUP = [
  'CREATE DATABASE shop',
  `CREATE TABLE shop.orders (id Int64, part Int64, customer Int64, paid Nullable(Bool), _version UInt64, _deleted UInt8)
   ENGINE = ReplacingMergeTree(_version, _deleted) ORDER BY (id, part)`,
  `INSERT INTO shop.orders VALUES (1, 1, 7, true, 1, 0), (1, 2, 7, false, 1, 0), (2, 1, 8, NULL, 1, 0), (3, 1, 9, true, 1, 0), (4, 1, 7, true, 1, 0)`,
  'INSERT INTO shop.orders VALUES (1, 1, 7, true, 2, 0), (4, 1, 7, true, 2, 1)',
  `CREATE TABLE shop.customers (id Int64, city String, _version UInt64, _deleted UInt8) ENGINE = ReplacingMergeTree(_version, _deleted) ORDER BY id`,
  `INSERT INTO shop.customers VALUES (7, 'Bern', 1, 0), (8, 'Rome', 1, 0), (9, 'Rome', 1, 0)`,
  `INSERT INTO shop.customers VALUES (9, 'Rome', 2, 1)`,
  `CREATE TABLE shop.loose (id Nullable(Int64), _version UInt64, _deleted UInt8)
   ENGINE = ReplacingMergeTree(_version, _deleted) ORDER BY id SETTINGS allow_nullable_key = 1`,
  'INSERT INTO shop.loose VALUES (1, 1, 0), (NULL, 1, 0)',
];

const rows = (table: string, columns: string): string =>
  `SELECT ${columns} FROM \\\`shop\\\`.\\\`${table}\\\` FINAL WHERE _deleted = 0`;
const MODEL: ModelFile[] = [
  {
    fileName: 'orders.js',
    content: `cube('orders', {
  sql: \`${rows('orders', 'id, part, customer, paid')}\`,
  joins: { customers: { relationship: 'many_to_one', sql: \`\${CUBE}.customer = \${customers}.id\` } },
  measures: {
    count: { type: 'count' },
    paid: { type: 'count', filters: [{ sql: \`\${CUBE}.paid\` }] },
    tagged: { type: 'count', sql: \`\${CUBE}.paid\` },
  },
  dimensions: {
    id: { type: 'number', sql: 'id', primaryKey: true, public: true },
    part: { type: 'number', sql: 'part', primaryKey: true, public: true },
    customer: { type: 'number', sql: 'customer' },
  },
});
cube('customers', {
  sql: \`${rows('customers', 'id, city')}\`,
  measures: { count: { type: 'count' }, late: { type: 'count', filters: [{ sql: \`\${CUBE}.id > 7\` }] },
    roman: { type: 'count', filters: [{ sql: \`\${CUBE}.city = 'Rome'\` }] } },
  dimensions: {
    id: { type: 'number', sql: 'id', primaryKey: true, public: true },
    city: { type: 'string', sql: 'city' },
  },
});
cube('loose', {
  sql: \`${rows('loose', 'id')}\`,
  measures: { count: { type: 'count' } },
  dimensions: { id: { type: 'number', sql: 'id', primaryKey: true } },
});`,
  },
];

let engine: TestClickHouse;
let layer: CubeLayer;
const all = person(null);

beforeAll(async () => {
  engine = await testClickHouse();
  for (const sql of SETUP) await engine.warehouse.command(sql);
  layer = shopLayer(engine.warehouse, new HandClock(), { models: () => Promise.resolve(MODEL) });
});
afterAll(async () => {
  await layer.close();
  await engine[Symbol.asyncDispose]();
});

const answer = async (query: SemanticQuery) => (await layer.load(all, query)).rows;

test('counts rows once, without those that are deleted, and of a filter without those where it is NULL', async () => {
  expect(await answer({ measures: ['orders.count', 'orders.paid', 'orders.tagged'] })).toEqual([
    ['4', '2', '3'],
  ]);
});

test('counts no row that a join did not find, and the one side of a join once', async () => {
  const query = {
    measures: ['orders.count', 'customers.count', 'customers.late'],
    dimensions: ['orders.customer'],
    order: [['orders.customer', 'asc']],
  } as const;
  expect(await answer(query)).toEqual([
    ['7', '2', '1', '0'],
    ['8', '1', '1', '1'],
    ['9', '1', '0', '0'],
  ]);
});

test('a key that is NULL is not counted', async () => {
  expect(await answer({ measures: ['loose.count'] })).toEqual([['1']]);
});

test('a key that cannot be NULL is not read to count rows', async () => {
  const query = { measures: ['customers.count', 'customers.roman'], dimensions: ['customers.city'] };
  const { sql } = await layer.sql(all, query);
  const plan = await engine.warehouse.query<{ explain: string }>(`EXPLAIN actions = 1 ${sql}`);
  const read = plan.map(({ explain }) => /Output: (.*_deleted.*)/.exec(explain)?.[1]).find(Boolean);
  expect(read?.split(', ').sort()).toEqual(['_deleted', 'city']);
});
