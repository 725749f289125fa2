import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrateState, silentLogger } from '#kernel';
import { type TestPostgres, testPostgres } from '#tests/postgres';
import { openQuestionLog, readQuestions } from './questions.ts';
import { rollupRight } from './rollups.ts';

let postgres: TestPostgres;
let pool: pg.Pool;
const logger = silentLogger();

beforeAll(async () => {
  postgres = await testPostgres();
  pool = new pg.Pool({ connectionString: postgres.url });
  // A connection that is still being closed hears that the server stops.
  pool.on('error', () => undefined);
  await migrateState(pool);
});
afterAll(async () => {
  await pool?.end();
  await postgres?.[Symbol.asyncDispose]();
});

test('one process at a time may keep roll-ups, and whoever has lost the right commits nothing', async () => {
  const [one, two] = [rollupRight({ pool, logger }), rollupRight({ pool, logger })];
  const right = await one.take();
  expect(await two.take()).toBeNull();
  let steps = 0;
  const step = async (): Promise<void> => {
    steps += 1;
  };
  await right!.fenced(step);
  // Its lease has run out while it was held up.
  await pool.query("UPDATE bac.leases SET expires_at = now() - interval '1 second' WHERE name = 'rollups'");
  const next = await two.take();
  expect(next!.token).toBeGreaterThan(right!.token);
  await expect(right!.fenced(step)).rejects.toThrow('Another process');
  await next!.fenced(step);
  expect(steps).toBe(2);
  await two.release();
  await one.release();
});

test('nobody takes the right over while a step is under way', async () => {
  const [one, two] = [rollupRight({ pool, logger }), rollupRight({ pool, logger })];
  const right = await one.take();
  const order: string[] = [];
  const begun = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const step = right!.fenced(async () => {
    begun.resolve();
    await goOn.promise;
    order.push('step');
  });
  await begun.promise;
  const taken = two.take().then((found) => order.push(found ? 'taken' : 'refused'));
  goOn.resolve();
  await Promise.all([step, taken]);
  expect(order).toEqual(['step', 'refused']);
  await one.release();
  await two.release();
});

test('questions are counted by day and shape', async () => {
  const log = openQuestionLog({ pool, logger });
  const question = { measures: ['a.count'], dimensions: ['a.b'], times: [['a.at', 'day']] as const };
  log.note(question, 100, 5);
  await log.flush();
  log.note(question, 300, 7);
  await log.flush();
  expect(await readQuestions(pool)).toEqual({
    days: 1,
    questions: 2,
    asked: [{ question, perDay: 2, rowsRead: 200 }],
  });
});
