import { createRequire } from 'node:module';
import type { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestClickHouse, testClickHouse } from '#tests/clickhouse';
import { HandClock, person, SETUP, shopLayer } from '../testing/shop.ts';
import type { CubeLayer } from '../types.ts';

let engine: TestClickHouse;
let layer: CubeLayer;
const clock = new HandClock();
const all = person(null);
const threads: Worker[] = [];
const seen = (thread: Worker): void => {
  threads.push(thread);
};

beforeAll(async () => {
  process.on('worker', seen);
  engine = await testClickHouse();
  for (const sql of SETUP) await engine.warehouse.command(sql);
  layer = shopLayer(engine.warehouse, clock);
});
afterAll(async () => {
  process.off('worker', seen);
  await layer.close();
  await engine[Symbol.asyncDispose]();
});

const count = async (query: object): Promise<{ data: Record<string, string>[]; cached: boolean }> =>
  JSON.parse((await layer.rest.load(all, { query })).body.toString());
const COUNT = { measures: ['orders.count'] };

test('nothing of Cube is loaded where requests are answered', async () => {
  expect((await count(COUNT)).data).toEqual([{ 'orders.count': '3' }]);
  await layer.graphql(all, { query: '{ cube { orders { count } } }' });
  await layer.meta(all);
  const loaded = Object.keys(createRequire(import.meta.url).cache);
  expect(loaded.filter((file) => file.includes('@cubejs-backend'))).toEqual([]);
  expect(threads).toHaveLength(1);
});

test('a question asked again after a change is read anew and not planned anew', async () => {
  const recent = {
    ...COUNT,
    timeDimensions: [{ dimension: 'orders.placed', dateRange: 'last 7 days' }],
  };
  const ranged = [COUNT, recent];
  for (const query of ranged) await count(query);
  const before = layer.status();
  for (const query of ranged) {
    clock.tick();
    expect(await count(query)).toMatchObject({ cached: false });
  }
  const { plans, results } = layer.status();
  expect({ plans, runs: results.runs }).toEqual({
    plans: before.plans,
    runs: before.results.runs + ranged.length,
  });
  // What depends on the moment in a way that is not followed is planned each time.
  const since = { member: 'orders.placed', operator: 'afterDate', values: ['7 days ago'] };
  for (let times = 0; times < 2; times += 1) await count({ ...COUNT, filters: [since] });
  expect(layer.status().plans).toBe(plans + 2);
});

test('layers of a process share the thread; the last who closes ends it', async () => {
  const other = shopLayer(engine.warehouse, clock);
  expect((await other.meta(all)).cubes).toHaveLength(1);
  expect(threads).toHaveLength(1);
  await other.close();
  clock.tick();
  expect((await count({ ...COUNT, limit: 1 })).data).toHaveLength(1);
});

test('after the thread has failed the next question starts another', async () => {
  await threads[0]!.terminate();
  clock.tick();
  expect((await count(COUNT)).data).toEqual([{ 'orders.count': '3' }]);
  expect(threads).toHaveLength(2);
});
