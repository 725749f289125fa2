import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { compareRows } from '#semantic';
import { eventually } from '#tests/eventually';
import { type TestHub, testHub } from '#tests/hub';
import { graphqlOf, graphqlRows, restRows, sqlOf, sqlRows } from './ask.ts';
import { QUESTIONS, type Question } from './questions/index.ts';

// A whole hub is filled with a business and answers; no timing is asserted.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 600_000 });

/** The model's numbers are exact or Float64; Cube's GraphQL has Floats of its own. */
const TOLERANCE = 1e-9;
const COMPILING = new Set(['SEMANTIC_COMPILING', '57P03']);

let hub: TestHub;
let db: pg.Client;
let sql: pg.Client;

beforeAll(async () => {
  hub = await testHub({ args: [], env: { BAC_DEMO_ORDERS: '6000', BAC_DEMO_RATE: '5' } });
  db = new pg.Client({ connectionString: hub.postgresUrl });
  await db.connect();
  sql = new pg.Client(`postgresql://me:${hub.key}@${hub.addresses.sql}/bac`);
  await sql.connect();
});

afterAll(async () => {
  await sql?.end();
  await db?.end();
  await hub?.[Symbol.asyncDispose]();
});

/**
 * Runs `work` while the business stands still at one moment that the warehouse has reached: writers wait for the
 * locks of the tables, what they had committed streams on, and the watermarks of all tables pass the moment.
 */
async function atOneWatermark(work: (moment: Date) => Promise<void>): Promise<void> {
  try {
    await eventually(holdWriters, 60_000);
    const { rows } = await db.query<{ now: Date }>('SELECT clock_timestamp() AS now');
    const moment = rows[0]!.now;
    await eventually(async () => {
      const behind = await db.query(
        `SELECT 1 FROM bac.tables t LEFT JOIN bac.watermarks w USING (source, schema_name, table_name)
         WHERE t.source = 'business' AND coalesce(w.committed_at < $1, true) LIMIT 1`,
        [moment],
      );
      return behind.rowCount === 0 ? true : undefined;
    }, 60_000);
    await work(moment);
  } finally {
    await db.query('ROLLBACK');
  }
}

/** Deadlock, or the lock is not to be had now. */
const BUSY = new Set(['40P01', '55P03']);

/** Undefined if a writer held one table and wanted another that was locked already: then it goes first. */
async function holdWriters(): Promise<true | undefined> {
  const { rows } = await db.query<{ name: string }>(
    `SELECT format('%I.%I', schema_name, table_name) AS name FROM bac.tables
     WHERE source = 'business' AND schema_name <> 'bac_probe' ORDER BY 1`,
  );
  await db.query("BEGIN; SET LOCAL lock_timeout = '300ms'");
  try {
    await db.query(`LOCK TABLE ${rows.map(({ name }) => name).join(', ')} IN SHARE MODE`);
    return true;
  } catch (error) {
    if (!BUSY.has((error as { code?: string }).code!)) throw error;
    await db.query('ROLLBACK');
    return undefined;
  }
}

const same = (actual: unknown[][], expected: unknown[][]): string | null =>
  compareRows(actual, expected, { ordered: false, tolerance: TOLERANCE });

interface Surface {
  readonly rows: unknown[][];
  readonly completeUpTo: string | null;
}

/** The answer of a surface about a state that is not before the moment. */
const answerAt = (moment: Date, what: string, ask: () => Promise<Surface | null>): Promise<unknown[][]> => {
  let answer: Surface | null = null;
  return eventually(
    async () => {
      answer = await ask();
      return answer?.completeUpTo && new Date(answer.completeUpTo) >= moment ? answer.rows : undefined;
    },
    120_000,
    () =>
      `${what}: ${answer ? `complete up to ${answer.completeUpTo}` : 'compiling'}, wanted ${moment.toISOString()}`,
  );
};

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into member by member
async function post(path: string, body: object): Promise<any> {
  const response = await fetch(`${hub.addresses.http}/cubejs-api${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${hub.key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return response.json();
}

async function overRest({ query }: Question): Promise<Surface | null> {
  const asked = { limit: 10_000, ...query };
  const body = await post('/v1/load', { query: asked });
  if (COMPILING.has(body.code)) return null;
  expect(body.error).toBeUndefined();
  return { rows: restRows(asked, body.data), completeUpTo: body.freshness.completeUpTo };
}

async function overGraphql({ query }: Question, document: string): Promise<Surface> {
  const body = await post('/graphql', { query: document });
  expect(body.errors, document).toBeUndefined();
  return { rows: graphqlRows(query, body.data), completeUpTo: body.extensions.freshness.completeUpTo };
}

async function overSql({ query }: Question, statement: string): Promise<Surface | null> {
  const types = { getTypeParser: (oid: number) => (oid === 16 ? (text: string) => text === 't' : String) };
  try {
    const { rows } = await sql.query({ text: statement, rowMode: 'array', types: types as never });
    const shown = await sql.query('SHOW bac.freshness');
    const told = /complete up to ([^,]+)/.exec(String(Object.values(shown.rows[0])[0]));
    return { rows: sqlRows(query, rows), completeUpTo: told?.[1] ?? null };
  } catch (error) {
    if (COMPILING.has((error as { code?: string }).code!)) return null;
    throw Object.assign(error as Error, { statement });
  }
}

async function answersOf(question: Question, moment: Date): Promise<Record<string, unknown[][]>> {
  const { ask, query } = question;
  const answers: Record<string, unknown[][]> = {
    rest: await answerAt(moment, ask, () => overRest(question)),
  };
  const statement = sqlOf(query);
  if (statement !== null) answers.sql = await answerAt(moment, ask, () => overSql(question, statement));
  const document = graphqlOf(query);
  if (document !== null) answers.graphql = await answerAt(moment, ask, () => overGraphql(question, document));
  return answers;
}

const moves = async (): Promise<number> =>
  Number((await db.query('SELECT sum(version) AS n FROM commerce."order"')).rows[0].n);

const areas = Map.groupBy(QUESTIONS, ({ query }) => query.measures![0]!.split('.')[0]!);

describe('the same numbers by hand-written SQL on PostgreSQL and through every surface', () => {
  test.each([...areas])('%s', async (_, questions) => {
    const before = await moves();
    await atOneWatermark(async (moment) => {
      for (const question of questions) {
        const { rows } = await db.query({ text: question.sql, rowMode: 'array' });
        expect(rows.length, `${question.ask} has an answer`).toBeGreaterThan(0);
        for (const [surface, answer] of Object.entries(await answersOf(question, moment)))
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
  expect(QUESTIONS.filter(({ query }) => sqlOf(query) !== null).length).toBeGreaterThanOrEqual(60);
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
    expect(stdout).toContain(
      'orphan   mine.yaml:1: mine.x: needs CUBE.totl, which is not there. Did you mean total?',
    );
    expect(code).toBe(1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
