import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApiKey } from '#hub';
import { systemPrincipal } from '#kernel';
import { percentile } from './support/figures.ts';
import { type Client, httpClient, type Shot } from './support/http-client.ts';
import { oneByOne, openLoop } from './support/http-load.ts';
import { openRig, peakMemoryMiB, type Rig } from './support/rig.ts';
import { captureBench } from './support/source.ts';

const PARTS = ['uncached', 'dashboard', 'cached', 'freshness'];

export interface SemanticOptions {
  readonly rows?: number | undefined;
  /** Default: all. */
  readonly parts?: readonly string[] | undefined;
  readonly seconds?: number | undefined;
  readonly rate?: number | undefined;
}

const CAPTURED = 1000;
const WARM_SECONDS = 5;
const MONTHS = { dimension: 'bench_bench_orders.placed', granularity: 'month' };

/**
 * The semantic layer over a fact of `rows` orders: questions whose answer is not known beside the same SQL straight
 * to the warehouse, known answers at a steady rate, a dashboard cold and warm, and the time from a commit to the
 * changed answer. The first thousand orders are captured; the rest is written into the same warehouse table.
 */
export async function benchSemantic({
  rows = 10_000_000,
  seconds = 10,
  rate = 2000,
  parts = PARTS,
}: SemanticOptions = {}): Promise<object> {
  await using rig = await openRig();
  await fill(rig, rows);
  const api = await rig.start('api');
  const url = `http://127.0.0.1:${(api.facts as { port: number }).port}`;
  const key = await createApiKey(rig.pool, systemPrincipal('bench'));
  const client = httpClient(url, { authorization: `Bearer ${key}` });
  const began = performance.now();
  try {
    await ask(client, { measures: ['bench_bench_orders.count'] });
    const firstAnswerMs = Math.round(performance.now() - began);
    const part = async <T>(name: string, work: () => Promise<T>): Promise<T | undefined> =>
      parts.includes(name) ? await work() : undefined;
    return {
      benchmark: 'semantic',
      rows,
      firstAnswerMs,
      uncached: await part('uncached', async () => ({
        otherValues: await beside(rig, client, otherValues),
        otherForms: await beside(rig, client, otherForms),
      })),
      dashboard: await part('dashboard', () => board(rig, client)),
      cached: await part('cached', () => known(client, rate, seconds)),
      commitToAnswer: await part('freshness', () => freshness(rig, client)),
      peakMemoryMiB: peakMemoryMiB(api.pid),
    };
  } finally {
    client.close();
  }
}

async function fill(rig: Rig, rows: number): Promise<void> {
  await rig.pool.query(`CREATE SCHEMA bench;
    CREATE TABLE bench.orders (id bigint PRIMARY KEY, customer bigint NOT NULL, status text NOT NULL,
      channel text NOT NULL, amount numeric(12, 2) NOT NULL, placed timestamptz NOT NULL);
    INSERT INTO bench.orders SELECT g, g % 100, 'new', 'web', g, timestamptz '2026-01-01' FROM generate_series(1, ${CAPTURED}) g`);
  await rig.start('sink');
  await rig.start('capture');
  await captureBench(rig, 1);
  await rig.warehouse.command(
    `INSERT INTO bench.bench_orders (id, customer, status, channel, amount, placed, _version, _deleted)
     SELECT number + 1000000, cityHash64(number) % 50000, ['new', 'paid', 'sent', 'back'][number % 4 + 1],
       ['web', 'shop', 'phone'][number % 3 + 1], (cityHash64(number) % 100000) / 100,
       toDateTime64('2022-01-01', 6, 'UTC') + toIntervalSecond(number * 12), 4503599627370496, 0
     FROM numbers(${rows - CAPTURED})`,
    { settings: { max_insert_threads: 2 } },
  );
}

type Query = Readonly<Record<string, unknown>>;

const tenths = (ms: number): number => Math.round(ms * 10) / 10;

const load = (query: Query, cache?: string): Shot => ({
  method: 'POST',
  path: '/cubejs-api/v1/load',
  body: JSON.stringify({ query, ...(cache ? { cache } : {}) }),
});

async function ask(client: Client, query: Query): Promise<Record<string, string>[]> {
  const { status, text } = await client.send(load(query));
  if (status !== 200) throw new Error(`${status}: ${text.slice(0, 1000)}`);
  return (JSON.parse(text) as { data: Record<string, string>[] }).data;
}

const MARCH: Query = {
  measures: ['bench_bench_orders.count', 'bench_bench_orders.amount_sum'],
  dimensions: ['bench_bench_orders.status'],
  timeDimensions: [{ ...MONTHS, dateRange: ['2022-03-01', '2022-03-31'] }],
};
/** Leaves no row out, and looks at what is read anyway. */
const all = (operator: string, value: string) => ({
  member: 'bench_bench_orders.status',
  operator,
  values: [value],
});

/** Questions that nobody has asked: of one form, as when somebody changes a filter. */
const otherValues = (index: number): Query => ({
  ...MARCH,
  filters: [all('notEquals', `none of ${index}`)],
  limit: 500 + index,
});
const MEASURES = [
  ['count', 'amount_sum'],
  ['count', 'amount_avg'],
  ['amount_sum', 'amount_avg'],
  ['count', 'amount_sum', 'amount_avg'],
];
/** Each of 256 of a form of its own, by its binary digits: Cube plans every one. */
const otherForms = (index: number): Query => ({
  ...MARCH,
  measures: MEASURES[index >> 6]!.map((name) => `bench_bench_orders.${name}`),
  filters: [1, 2, 4, 8, 16, 32].map((bit) => all(index & bit ? 'notEquals' : 'notStartsWith', 'none')),
});

async function beside(rig: Rig, client: Client, unseen: (index: number) => Query, count = 100) {
  const statements: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const { text } = await client.send({
      method: 'POST',
      path: '/cubejs-api/v1/sql',
      body: JSON.stringify({ query: { ...unseen(index), timezone: 'UTC' } }),
    });
    const { sql } = JSON.parse(text) as { sql: { sql: [string, string[]] } };
    const values = [...sql.sql[1]];
    statements.push(sql.sql[0].replace(/\?/g, () => `'${values.shift()}'`));
  }
  const through: number[] = [];
  const straight: number[] = [];
  const pair = [
    // A query beyond those whose SQL was asked for, so that its plan is made anew.
    async (index: number) =>
      through.push((await oneByOne(1, () => ask(client, unseen(count + index)))).p50Ms),
    async (index: number) => {
      const one = await oneByOne(1, async () => {
        for await (const chunk of await rig.warehouse.stream(statements[index]!, 'JSONCompact')) void chunk;
      });
      straight.push(one.p50Ms);
    },
  ];
  // By turns one of them first: the second finds the processor's caches filled.
  for (let index = 0; index < count; index += 1)
    for (const turn of [index % 2, 1 - (index % 2)]) await pair[turn]!(index);
  const above = through.map((ms, index) => ms - straight[index]!);
  return {
    throughCube: { p50Ms: percentile(through, 50), p99Ms: percentile(through, 99) },
    straight: { p50Ms: percentile(straight, 50), p99Ms: percentile(straight, 99) },
    aboveP50Ms: tenths(percentile(through, 50) - percentile(straight, 50)),
    // Of those asked right after each other: what the machine does in the meantime counts less.
    pairedAboveP50Ms: tenths(percentile(above, 50)),
  };
}

const tiles: readonly Query[] = [
  ...['status', 'channel'].flatMap((by) => [
    { measures: ['bench_bench_orders.count'], dimensions: [`bench_bench_orders.${by}`] },
    { measures: ['bench_bench_orders.amount_sum'], dimensions: [`bench_bench_orders.${by}`] },
    { measures: ['bench_bench_orders.amount_avg'], dimensions: [`bench_bench_orders.${by}`] },
    {
      measures: ['bench_bench_orders.count'],
      dimensions: [`bench_bench_orders.${by}`],
      timeDimensions: [MONTHS],
    },
  ]),
  { measures: ['bench_bench_orders.count'] },
  { measures: ['bench_bench_orders.amount_sum'], timeDimensions: [MONTHS] },
  { measures: ['bench_bench_orders.amount_sum'], timeDimensions: [{ ...MONTHS, granularity: 'week' }] },
  { measures: ['bench_bench_orders.amount_sum'], dimensions: ['bench_bench_orders.customer'], limit: 10 },
];

/** What a company adds to its model for this dashboard. */
const ROLLUPS = `cubes:
  - name: bench_bench_orders
    pre_aggregations:
      - { name: by_day, measures: [count, amount_sum, amount_avg], dimensions: [status, channel], time_dimension: placed, granularity: day }
      - { name: by_customer, measures: [amount_sum], dimensions: [customer], time_dimension: placed, granularity: year }
`;

/** Cold and warm from the table itself; then, as questions not asked before, with roll-ups for them. */
async function board(rig: Rig, client: Client) {
  const once = async (limit?: number): Promise<number> => {
    const began = performance.now();
    const asked = tiles.map((query) => (limit === undefined ? query : { ...query, limit }));
    await Promise.all(asked.map((query) => ask(client, query)));
    return Math.round((performance.now() - began) * 10) / 10;
  };
  const coldMs = await once();
  const warm = [await once(), await once(), await once(), await once(), await once()];
  writeFileSync(join(rig.modelDir, 'rollups.yaml'), ROLLUPS);
  const built: string[] = [];
  const began = performance.now();
  for (let limit = 2000; built.length < 2; limit += 1) {
    if (performance.now() - began > 120_000) throw new Error(`roll-ups in use after 120 s: ${built}`);
    built.splice(0);
    for (const query of [tiles[0]!, tiles.at(-1)!]) {
      const { text } = await client.send(load({ ...query, limit }));
      built.push(...((JSON.parse(text) as { rollups?: string[] }).rollups ?? []));
    }
    await sleep(200);
  }
  const rolledUp = [await once(5000), await once(5001), await once(5002)];
  return {
    queries: tiles.length,
    coldMs,
    warmMs: percentile(warm, 50),
    withRollups: { coldMs: rolledUp[0], againColdMs: rolledUp.slice(1) },
  };
}

async function known(client: Client, rate: number, seconds: number) {
  await Promise.all(tiles.map((query) => ask(client, query)));
  const next = () => {
    const query = tiles[Math.floor(Math.random() * tiles.length)]!;
    return { kind: 'load', shot: load(query) };
  };
  // The code of both sides is compiled, and connections are opened, under the first of it.
  const firstSeconds = await openLoop(client, rate, WARM_SECONDS, next);
  const steady = await openLoop(client, rate, seconds, next);
  return { ...steady, firstSeconds: { seconds: WARM_SECONDS, p99Ms: firstSeconds.p99Ms } };
}

/** One order after the other; asked again and again until the answer counts it. */
async function freshness(rig: Rig, client: Client, commits = 20) {
  const query = {
    measures: ['bench_bench_orders.count'],
    filters: [{ member: 'bench_bench_orders.id', operator: 'lt', values: ['900000'] }],
  };
  const count = async (): Promise<number> =>
    Number((await ask(client, query))[0]!['bench_bench_orders.count']);
  let expected = await count();
  const times: number[] = [];
  for (let index = 0; index < commits; index += 1) {
    await rig.pool.query(
      `INSERT INTO bench.orders VALUES (${CAPTURED + 1 + index}, 1, 'new', 'web', 1, now())`,
    );
    const began = performance.now();
    expected += 1;
    while ((await count()) !== expected) {
      if (performance.now() - began > 20_000) throw new Error(`a commit is not seen after 20 s`);
      await sleep(5);
    }
    times.push(performance.now() - began);
  }
  return { commits, p50Ms: Math.round(percentile(times, 50)), p99Ms: Math.round(percentile(times, 99)) };
}
