import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createWarehouse } from '#clickhouse';
import { everythingProfile, type Principal, silentLogger, type Warehouse } from '#kernel';
import {
  type CubeLayer,
  compareRows,
  createCubeLayer,
  generateModel,
  readModelFiles,
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
  hub = await testHub({ args: [], env: { BAC_DEMO_ORDERS: '2000', BAC_DEMO_RATE: '5' } });
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
  try {
    await eventually(holdWriters, 60_000);
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

/** Deadlock, or the lock is not to be had now. */
const BUSY = new Set(['40P01', '55P03']);

/** Undefined if a writer held one table and wanted another that was locked already: then it goes first. */
async function holdWriters(): Promise<true | undefined> {
  const tables = demo.tables.map(({ schema }) => `"${schema.schema}"."${schema.table}"`);
  await db.query("BEGIN; SET LOCAL lock_timeout = '300ms'");
  try {
    await db.query(`LOCK TABLE ${tables.join(', ')} IN SHARE MODE`);
    return true;
  } catch (error) {
    if (!BUSY.has((error as { code?: string }).code!)) throw error;
    await db.query('ROLLBACK');
    return undefined;
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

test('bac model check: the shipped model and its metric tests hold; what is wrong is named, with exit code 1', async () => {
  await atOneWatermark(async () => {
    const { code, stdout } = await hub.bac('model', 'check', '--json');
    const report = JSON.parse(stdout);
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ ok: true, tests: 8 });
    expect(code).toBe(0);
  });
  const folder = mkdtempSync(join(tmpdir(), 'bac-test-model-'));
  try {
    writeFileSync(
      join(folder, 'mine.yaml'),
      'cubes: [{ name: mine, extends: commerce_order, measures: [{ name: x, type: sum, sql: "{CUBE}.totl" }] }]',
    );
    const { code, stdout } = await hub.bac('model', 'check', folder);
    expect(stdout).toContain('orphan   mine.x: needs CUBE.totl, which is not there. Did you mean total?');
    expect(code).toBe(1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
