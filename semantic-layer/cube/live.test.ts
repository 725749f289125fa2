import { afterAll, beforeAll, expect, test } from 'vitest';
import { HubError } from '#kernel';
import { type TestClickHouse, testClickHouse } from '#tests/clickhouse';
import { Bell } from '../results/index.ts';
import type { Answer, LoadedAnswer, MeanTheSame } from './answers.ts';
import { follow } from './live.ts';
import { HandClock, person, SETUP, shopLayer } from './testing/shop.ts';
import type { CubeLayer } from './types.ts';

let engine: TestClickHouse;
let layer: CubeLayer;
const clock = new HandClock();

beforeAll(async () => {
  engine = await testClickHouse();
  for (const sql of SETUP) await engine.warehouse.command(sql);
  layer = shopLayer(engine.warehouse, clock);
});
afterAll(async () => {
  await layer.close();
  await engine[Symbol.asyncDispose]();
});

/** Collects what is told; `next` waits for one more. */
function collector() {
  const bell = new Bell();
  const got: Answer[] = [];
  return {
    got,
    take: async (answer: Answer) => {
      got.push(answer);
      bell.ring();
    },
    async count(wanted: number): Promise<void> {
      while (got.length < wanted) await bell.next(AbortSignal.timeout(20_000));
    },
  };
}

const counted = ({ body }: Answer): string => {
  const { data } = JSON.parse(body.toString()) as { data: { 'orders.count': string }[] };
  return data[0]!['orders.count'];
};

test('the answer comes again when rows have changed, and only if the numbers have', async () => {
  const end = new AbortController();
  const { got, take, count } = collector();
  const query = { measures: ['orders.count'] };
  const following = layer.rest.live(person(null), { query }, take, end.signal);
  await count(1);
  expect(counted(got[0]!)).toBe('3');
  const read = layer.status().results.runs;
  clock.tick();
  while (layer.status().results.runs === read) await new Promise((resolve) => setImmediate(resolve));
  expect(got).toHaveLength(1);
  await engine.warehouse.command(
    'INSERT INTO shop.orders (id, status, amount, placed) SELECT id + 1000, status, amount, placed FROM shop.orders WHERE id = (SELECT min(id) FROM shop.orders)',
  );
  clock.tick();
  await count(2);
  expect(counted(got[1]!)).toBe('4');
  end.abort();
  await following;
});

test('what refuses the question is told at once, and nothing is followed', async () => {
  const { got, take } = collector();
  const query = { measures: ['orders.nothing'] };
  await expect(
    layer.rest.live(person(null), { query }, take, new AbortController().signal),
  ).rejects.toMatchObject({ code: 'QUERY_INVALID' });
  expect(got).toEqual([]);
});

test('a reader that is slow gets the newest answer, not all of them; a failure that passes is not told', async () => {
  const hands = new HandClock();
  const end = new AbortController();
  let version = 0;
  let broken = false;
  const load = async (): Promise<LoadedAnswer> => {
    if (broken) {
      broken = false;
      throw new HubError('WAREHOUSE_DOWN', 'It is away.', { disposition: 'transient' });
    }
    const data = Buffer.from(`{"version":${version}`);
    return { status: 200, body: data, data, basis: [{ tables: ['t'], stamp: hands.stamp() }], ranges: [] };
  };
  const told: string[] = [];
  const bell = new Bell();
  let release: () => void = () => undefined;
  const following = follow(
    load,
    { clock: hands, mean: () => Promise.resolve(true) },
    async ({ body }) => {
      told.push(body.toString());
      bell.ring();
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    },
    end.signal,
  );
  while (told.length < 1) await bell.next(end.signal);
  for (version = 1; version < 50; version += 1) hands.tick();
  broken = true;
  release();
  while (told.length < 2) await bell.next(end.signal);
  expect(told).toEqual(['{"version":0', '{"version":50']);
  release();
  end.abort();
  await following;
});

test('the answer comes again when its range means other days, without any change; nothing is left waiting', async () => {
  const hands = new HandClock();
  const end = new AbortController();
  const { got, take, count } = collector();
  let today = '2026-02-01';
  let looks = 0;
  const load = async (): Promise<LoadedAnswer> => {
    const data = Buffer.from(`{"day":"${today}"`);
    const ranges = [{ text: 'today', timezone: 'UTC', resolved: today }];
    return { status: 200, body: data, data, basis: [{ tables: ['t'], stamp: hands.stamp() }], ranges };
  };
  const mean: MeanTheSame = async ([range]) => {
    looks += 1;
    // Midnight, at the third look; other tables change all the while.
    if (looks === 3) today = '2026-02-02';
    return range!.resolved === today;
  };
  const following = follow(load, { clock: hands, mean, lookMs: 20 }, take, end.signal);
  await count(2);
  expect(got.map(({ body }) => body.toString())).toEqual(['{"day":"2026-02-01"', '{"day":"2026-02-02"']);
  expect(looks).toBe(3);
  end.abort();
  await following;
});
