import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HubError, type Principal, silentLogger } from '#kernel';
import { type TestClickHouse, testClickHouse } from '#tests/clickhouse';
import { createQueryLimits, type QueryLimits } from './index.ts';

let engine: TestClickHouse;
const asker = (user: string, tenant: string | null = 'a'): Principal => ({
  user,
  tenant,
  roles: [],
  attributes: {},
  scopes: ['read'],
});
const generous: QueryLimits = { maxRowsRead: 1e9, maxBytesRead: 1e12, concurrency: 2, queue: 2 };
const limited = (limits: Partial<QueryLimits>) =>
  createQueryLimits({
    warehouse: engine.warehouse,
    logger: silentLogger(),
    limits: { ...generous, ...limits },
  });
const sql = (where: string): string => `SELECT count() FROM \`d\`.\`t\` FINAL WHERE ${where}`;
const refusal = (thrown: unknown): HubError => thrown as HubError;

beforeAll(async () => {
  engine = await testClickHouse();
  const { warehouse } = engine;
  await warehouse.command('CREATE DATABASE d');
  await warehouse.command(
    'CREATE TABLE d.t (id Int64, text String, _version UInt64, _deleted UInt8) ENGINE = ReplacingMergeTree(_version, _deleted) ORDER BY id SETTINGS index_granularity = 1000',
  );
  await warehouse.command("INSERT INTO d.t SELECT number, repeat('x', 100), 1, 0 FROM numbers(100000)");
});
afterAll(() => engine?.[Symbol.asyncDispose]());

test('what reads too many rows is refused before it reads them, what is narrow enough runs', async () => {
  const admit = limited({ maxRowsRead: 10_000 });
  const refused = await admit(asker('ann', null), { sql: sql('true'), params: {} }).catch(refusal);
  expect(refused).toMatchObject({
    code: 'QUERY_REFUSED',
    disposition: 'user',
    message: 'The question would read more than 10,000 rows.',
    details: { limit: 'semantic.maxRowsRead', allowed: 10_000, estimated: 100_000 },
  });
  expect((refused as HubError).next).toContain('Narrow');
  const narrow = { sql: sql('id < {least:Int64}'), params: { least: '500' } };
  (await admit(asker('ann'), narrow))();
  expect(await engine.warehouse.query<{ n: string }>('SELECT count() AS n FROM d.t')).toEqual([
    { n: '100000' },
  ]);
});

test('a principal of a tenant is not told how many rows there are', async () => {
  const refused = await limited({ maxRowsRead: 10 })(asker('ann'), { sql: sql('true'), params: {} }).catch(
    refusal,
  );
  expect(JSON.stringify(refused)).not.toContain('100');
});

test('bytes count by the width of the rows', async () => {
  const statement = { sql: sql('true'), params: {} };
  const refused = await limited({ maxBytesRead: 1_000_000 })(asker('ann'), statement).catch(refusal);
  expect(refused).toMatchObject({ code: 'QUERY_REFUSED', details: { limit: 'semantic.maxBytesRead' } });
  (await limited({ maxBytesRead: 50_000_000 })(asker('ann'), statement))();
});

test('so many of one principal run, so many wait in turn, more are refused; others are not held up', async () => {
  const admit = limited({});
  const statement = { sql: 'SELECT 1', params: {} };
  const order: string[] = [];
  const first = await admit(asker('ann'), statement);
  const second = await admit(asker('ann'), statement);
  const waiting = ['third', 'fourth'].map(async (name) => {
    const leave = await admit(asker('ann'), statement);
    order.push(name);
    return leave;
  });
  const refused = await admit(asker('ann'), statement).catch(refusal);
  expect(refused).toMatchObject({ code: 'QUERY_REFUSED', details: { limit: 'semantic.concurrency' } });
  (await admit(asker('ann', 'b'), statement))();
  (await admit(asker('bob'), statement))();
  expect(order).toEqual([]);
  first();
  first();
  const third = await waiting[0]!;
  expect(order).toEqual(['third']);
  second();
  const fourth = await waiting[1]!;
  third();
  fourth();
  (await admit(asker('ann'), statement))();
});

test('who gives up while waiting loses the place and holds up nobody; a refused one leaves at once', async () => {
  const admit = limited({ concurrency: 1, maxRowsRead: 10 });
  const small = { sql: 'SELECT 1', params: {} };
  const first = await admit(asker('ann'), small);
  const abort = new AbortController();
  const gone = admit(asker('ann'), { ...small, signal: abort.signal }).catch((thrown: unknown) => thrown);
  const next = admit(asker('ann'), small);
  abort.abort(new Error('gone'));
  expect(await gone).toEqual(new Error('gone'));
  first();
  (await next)();
  await admit(asker('ann'), { sql: sql('true'), params: {} }).catch(refusal);
  (await admit(asker('ann'), small))();
});

test('what cannot be estimated is left for the engine to answer', async () => {
  const admit = limited({ maxRowsRead: 10 });
  (await admit(asker('ann'), { sql: 'SELECT nonsense FROM nowhere', params: {} }))();
});
