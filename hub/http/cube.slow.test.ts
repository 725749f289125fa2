import { tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '#tests/eventually';
import { createApiKey } from '../identity/index.ts';
import { type TestHub, testHub } from './testing.ts';

let hub: TestHub;
const post = async (path: string, body: object, key = hub.keys.read) => {
  const response = await fetch(`${hub.url}/cubejs-api${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into member by member
  return { status: response.status, body: (await response.json()) as any };
};
const orders = { query: { measures: ['shop_orders.count', 'shop_orders.amount_sum'] } };

beforeAll(async () => {
  hub = await testHub({ semantic: true });
  await hub.pool.query(`CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL);
    CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, amount numeric(12, 2) NOT NULL, placed timestamptz NOT NULL);
    INSERT INTO customers VALUES (1, 'Ann'), (2, 'Bob');
    INSERT INTO orders VALUES (1, 1, 10.5, '2026-01-01'), (2, 2, 20, '2026-02-01')`);
  await fetch(`${hub.url}/api/v1/sources`, {
    method: 'POST',
    headers: { authorization: `Bearer ${hub.keys.admin}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'shop', url: hub.database, tables: ['customers', 'orders'] }),
  });
  await eventually(async () => {
    const tables = await hub.registry.tables('shop');
    return tables.length === 2 && tables.every(({ state }) => state === 'streaming') ? true : undefined;
  }, 60_000);
});
afterAll(() => hub[Symbol.asyncDispose]());

test('once every table streams, the model is compiled before anybody has asked', async () => {
  const { semantic } = hub;
  expect(semantic!.status()).toMatchObject({ native: 'unloaded', models: [] });
  semantic!.warmUp();
  const [model] = await eventually(async () => {
    const { models } = semantic!.status();
    return models[0]?.state === 'ready' ? models : undefined;
  }, 60_000);
  expect(model).toMatchObject({ profile: 'everything', error: null });
  expect(semantic!.status().plans).toBe(0);
});

test('a captured table answers without a word of configuration, and again as soon as it has changed', async () => {
  const first = await eventually(async () => {
    const answer = await post('/v1/load', orders);
    return answer.status === 200 && answer.body.freshness.completeUpTo ? answer : undefined;
  }, 30_000);
  expect(first.body.data).toEqual([{ 'shop_orders.count': '2', 'shop_orders.amount_sum': '30.5' }]);
  expect(first.body.tables).toEqual(['shop.orders']);
  expect((await post('/v1/load', orders)).body.cached).toBe(true);
  await hub.pool.query("INSERT INTO orders VALUES (3, 1, 5, '2026-03-01')");
  await eventually(async () => {
    const { body } = await post('/v1/load', orders);
    return body.data[0]['shop_orders.count'] === '3' ? true : undefined;
  }, 10_000);
});

test('joins come from foreign keys, over REST by GET, GraphQL and SQL to look at', async () => {
  const query = {
    measures: ['shop_orders.count'],
    dimensions: ['shop_customers.name'],
    order: { 'shop_customers.name': 'asc' },
  };
  const response = await fetch(
    `${hub.url}/cubejs-api/v1/load?query=${encodeURIComponent(JSON.stringify(query))}`,
    { headers: { authorization: `Bearer ${hub.keys.read}` } },
  );
  const { data, tables } = (await response.json()) as { data: object[]; tables: string[] };
  expect(data).toEqual([
    { 'shop_customers.name': 'Ann', 'shop_orders.count': '2' },
    { 'shop_customers.name': 'Bob', 'shop_orders.count': '1' },
  ]);
  expect(tables).toEqual(['shop.customers', 'shop.orders']);
  const graphql = await post('/graphql', { query: '{ cube { shop_orders { count } } }' });
  expect(graphql.body.data).toEqual({ cube: [{ shop_orders: { count: 3 } }] });
  const sql = await post('/v1/sql', orders);
  expect(sql.body.sql.sql[0]).toContain('`shop`.`orders` FINAL');
  expect((await post('/v1/dry-run', orders)).body.queryType).toBe('regularQuery');
});

test('SQL is answered in Arrow, with what the key may see, and refused in JSON', async () => {
  const ask = (key: string, body: object) =>
    fetch(`${hub.url}/api/v1/semantic/sql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const sql = 'SELECT id, amount, placed FROM shop_orders WHERE amount > $1 ORDER BY id';
  const answer = await ask(hub.keys.read, { sql, parameters: [6] });
  expect(answer.headers.get('content-type')).toBe('application/vnd.apache.arrow.stream');
  const table = tableFromIPC(await answer.arrayBuffer());
  expect(table.schema.fields.map(({ name, type }) => `${name} ${type}`)).toEqual([
    'id Decimal[38e0]',
    expect.stringMatching(/^amount Decimal\[38e/),
    'placed Timestamp<MICROSECOND>',
  ]);
  expect(table.numRows).toBe(2);
  expect(table.schema.metadata.get('bac.tables')).toBe('shop.orders');
  const wrong = await ask(hub.keys.read, { sql: 'SELECT amuont FROM shop_orders' });
  expect([wrong.status, await wrong.json()]).toMatchObject([
    400,
    { error: { code: 'QUERY_INVALID', message: expect.stringContaining('amuont') } },
  ]);
  expect((await ask('a.b', { sql })).status).toBe(401);
  expect((await ask(hub.keys.read, { sql, rows: 1 })).status).toBe(400);
});

test('nobody without a key, nobody bound to a tenant, and wrong questions are named', async () => {
  expect(
    (await fetch(`${hub.url}/cubejs-api/v1/meta`, { headers: { authorization: 'Bearer a.b' } })).status,
  ).toBe(401);
  const bound = await createApiKey(hub.pool, {
    tenant: 'acme',
    user: 'eve',
    roles: [],
    attributes: {},
    scopes: ['read'],
  });
  expect((await post('/v1/load', orders, bound)).status).toBeGreaterThanOrEqual(400);
  const wrong = await post('/v1/load', { query: { measures: ['shop_orders.amuont'] } });
  expect(wrong).toMatchObject({
    status: 400,
    body: { code: 'QUERY_INVALID', error: expect.stringContaining('amuont') },
  });
  expect(await post('/v1/load', { query: 'no json' })).toMatchObject({
    status: 400,
    body: { code: 'QUERY_INVALID' },
  });
  expect((await post('/v1/load', { query: { ...orders.query, limit: 60_000 } })).status).toBe(400);
});

test('a new column is a new member by itself', async () => {
  await hub.pool.query(
    "ALTER TABLE orders ADD COLUMN channel text; INSERT INTO orders VALUES (4, 1, 1, '2026-03-02', 'web')",
  );
  await eventually(async () => {
    const { body } = await post('/v1/load', {
      query: { measures: ['shop_orders.count'], dimensions: ['shop_orders.channel'] },
    });
    return body.data?.some((row: Record<string, unknown>) => row['shop_orders.channel'] === 'web')
      ? true
      : undefined;
  }, 50_000);
});
