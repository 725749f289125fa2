import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createWarehouse } from '#clickhouse';
import { everythingProfile, type Principal, silentLogger, type Warehouse } from '#kernel';
import {
  type CubeLayer,
  checkModel,
  compareRows,
  createCubeLayer,
  generateModel,
  readModelFiles,
  readModelTests,
  SHIPPED_MODEL,
} from '#semantic';
import { demoModel } from '#tests/demo-model';
import { eventually } from '#tests/eventually';
import { type TestHub, testHub } from '#tests/hub';
import { columnsOf, graphqlOf, graphqlRows, restRows } from './ask.ts';
import { QUESTIONS, type Question } from './questions/index.ts';

// A whole hub is filled with a business and answers; no timing is asserted.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 600_000 });

const everybody: Principal = { tenant: null, user: 'cfo', roles: [], attributes: {}, scopes: ['read'] };
/** The model's numbers are exact or Float64; Cube's GraphQL has Floats of its own. */
const TOLERANCE = 1e-9;

let hub: TestHub;
let db: pg.Client;
let warehouse: Warehouse;
let layer: CubeLayer;
const demo = await demoModel();
const input = { ...demo, curated: await readModelFiles(SHIPPED_MODEL) };

beforeAll(async () => {
  hub = await testHub({ args: [], env: { BAC_DEMO_ORDERS: '1000', BAC_DEMO_RATE: '5' } });
  db = new pg.Client({ connectionString: hub.postgresUrl });
  await db.connect();
  const password = readFileSync(join(hub.stateDir, 'clickhouse-password'), 'utf8').trim();
  warehouse = createWarehouse({ url: hub.addresses.clickhouse!, user: 'bac', password, log: silentLogger() });
  let stamp = 0;
  layer = createCubeLayer({
    warehouse,
    logger: silentLogger(),
    // Nothing is answered from the cache here: its promises have tests of their own.
    clock: {
      tablesIn: () => ['business'],
      stamp: () => (stamp += 1),
      freshness: () => ({ completeUpTo: null }),
      current: () => Promise.resolve(),
    },
    profileOf: () => Promise.resolve(everythingProfile(demo.tables)),
    models: (profile) => Promise.resolve(generateModel(input, profile)),
  });
});

afterAll(async () => {
  await layer?.close();
  await warehouse?.close();
  await db?.end();
  await hub?.[Symbol.asyncDispose]();
});

/**
 * Runs `work` while the business stands still at one moment that the warehouse has reached: writers wait for the
 * locks of the tables, what they had committed streams on, and the watermarks of all tables pass the moment.
 */
async function atOneWatermark(work: () => Promise<void>): Promise<void> {
  await db.query('BEGIN');
  try {
    const tables = demo.tables.map(({ schema }) => `"${schema.schema}"."${schema.table}"`);
    await db.query(`LOCK TABLE ${tables.join(', ')} IN SHARE MODE`);
    const { rows } = await db.query<{ now: Date }>('SELECT clock_timestamp() AS now');
    await eventually(async () => {
      const behind = await db.query(
        `SELECT 1 FROM bac.watermarks WHERE source = 'business' AND committed_at < $1 LIMIT 1`,
        [rows[0]!.now],
      );
      return behind.rowCount === 0 ? true : undefined;
    }, 60_000);
    await work();
  } finally {
    await db.query('ROLLBACK');
  }
}

const same = (actual: unknown[][], expected: unknown[][]): string | null =>
  compareRows(actual, expected, { ordered: false, tolerance: TOLERANCE });

async function answersOf(question: Question): Promise<Record<string, unknown[][]>> {
  const query = { limit: 10_000, ...question.query };
  const result = await layer.load(everybody, query);
  const at = columnsOf(query).map((name) => result.columns.findIndex((column) => column.name === name));
  expect(at, question.ask).not.toContain(-1);
  const rest = await layer.rest.load(everybody, { query });
  const answers: Record<string, unknown[][]> = {
    layer: result.rows.map((row) => at.map((index) => row[index])),
    rest: restRows(query, JSON.parse(rest.body.toString()).data),
  };
  const document = graphqlOf(query);
  if (document === null) return answers;
  const body = JSON.parse((await layer.graphql(everybody, { query: document })).body.toString());
  expect(body.errors, `${question.ask} ${document}`).toBeUndefined();
  return { ...answers, graphql: graphqlRows(query, body.data) };
}

const moves = async (): Promise<number> =>
  Number((await db.query('SELECT sum(version) AS n FROM commerce."order"')).rows[0].n);

const areas = Map.groupBy(QUESTIONS, ({ query }) => query.measures![0]!.split('.')[0]!);

describe('the same numbers by hand-written SQL on PostgreSQL and through every surface', () => {
  test.each([...areas])('%s', async (_, questions) => {
    const before = await moves();
    await atOneWatermark(async () => {
      for (const question of questions) {
        const { rows } = await db.query({ text: question.sql, rowMode: 'array' });
        expect(rows.length, `${question.ask} has an answer`).toBeGreaterThan(0);
        for (const [surface, answer] of Object.entries(await answersOf(question)))
          expect.soft(same(answer, rows), `${question.ask} (${surface})`).toBeNull();
      }
    });
    // The business goes on: the next questions are about another state of it.
    await eventually(async () => ((await moves()) > before ? true : undefined), 60_000);
  });
});

test('there are sixty questions, most of them through all surfaces', () => {
  expect(QUESTIONS.length).toBeGreaterThanOrEqual(60);
  expect(QUESTIONS.filter(({ query }) => graphqlOf(query) !== null).length).toBeGreaterThan(50);
});

test('the shipped metric tests hold, and the model has nothing to complain of', async () => {
  await atOneWatermark(async () => {
    const report = await checkModel({
      model: input,
      tests: await readModelTests(SHIPPED_MODEL),
      compile: async () => {
        await layer.meta(everybody);
      },
      load: (query) => layer.load(everybody, query),
    });
    expect(report.findings).toEqual([]);
    expect(report.tests).toBeGreaterThanOrEqual(8);
  });
});
