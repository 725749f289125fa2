import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { configSchema, silentLogger } from '#kernel';
import { eventually } from '#tests/eventually';
import { acquireLease, scheduleSource } from '../capture/index.ts';
import { createVerifySchedule, type VerifySchedule } from './index.ts';
import { type Pipeline, pipeline } from './testing.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let world: Pipeline;
/** When the source was added; the clock of the schedule is given relative to it. */
let added: number;
let clock: number;
beforeAll(async () => {
  world = await pipeline();
  await world.app.query(`
    CREATE TABLE one (id int PRIMARY KEY, v text);
    CREATE TABLE two (id int PRIMARY KEY, v text);
    INSERT INTO one SELECT i, 'v' FROM generate_series(1, 50) i;
    INSERT INTO two SELECT i, 'v' FROM generate_series(1, 50) i`);
  await world.capture();
  await world.state('one', 'streaming');
  await world.state('two', 'streaming');
  await world.sink();
}, 120_000);
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(async () => {
  await world.pool.query('DELETE FROM bac.verifications');
  await scheduleSource(world.pool, 'shop', null);
  const { rows } = await world.pool.query<{ at: Date }>(
    "SELECT created_at AS at FROM bac.sources WHERE name = 'shop'",
  );
  added = rows[0]!.at.getTime();
  clock = added;
});

const schedule = (instance = 'worker-1', verify: object = { everyHours: 24 }): VerifySchedule =>
  createVerifySchedule({
    ...world,
    logger: silentLogger(),
    config: configSchema.parse({ verify }).verify,
    instance,
    now: () => clock,
  });

interface Kept {
  readonly table_name: string;
  readonly state: string;
  readonly started: string;
  readonly differences: string;
  readonly repaired: string;
  readonly reason: string | null;
  readonly compared_at: Date | null;
}
const kept = async (): Promise<Kept[]> =>
  (
    await world.pool.query<Kept>(
      `SELECT table_name, state, extract(epoch FROM started_at) * 1000 AS started, differences, repaired, reason, compared_at
       FROM bac.verifications ORDER BY table_name`,
    )
  ).rows;
const began = async (): Promise<number[]> =>
  (await kept()).map(({ started }) => Math.round(Number(started)) - added);

it('each table has a first moment of its own within the interval, and then its turn once an interval', async () => {
  const worker = schedule();
  const first = new Map<string, number>();
  for (clock = added; clock <= added + DAY; clock += HOUR / 2) {
    await worker.look();
    for (const { table_name: table } of await kept()) if (!first.has(table)) first.set(table, clock - added);
  }
  expect([...first.keys()].sort()).toEqual(['one', 'two']);
  expect(first.get('one')).not.toBe(first.get('two'));
  expect(worker.stats()).toMatchObject({ verified: 2, failed: 0, now: null });
  const [one] = await began();
  clock = added + one! + DAY - 1;
  const before = worker.stats().verified;
  await worker.look();
  const due = worker.stats().verified - before;
  clock += 1;
  await worker.look();
  expect(worker.stats().verified - before).toBe(due + 1);
}, 60_000);

it('what differs is repaired, or only reported, as the source or the configuration says', async () => {
  const { warehouse, pool } = world;
  const damage = () =>
    warehouse.command("ALTER TABLE shop.one UPDATE v = 'wrong' WHERE id <= 3", {
      settings: { mutations_sync: 2 },
    });
  clock = added + DAY;
  await damage();
  await scheduleSource(pool, 'shop', { repair: false });
  const worker = schedule();
  await worker.look();
  expect(await kept()).toMatchObject([
    { table_name: 'one', state: 'different', differences: '3', repaired: '0' },
    { table_name: 'two', state: 'ok' },
  ]);
  await scheduleSource(pool, 'shop', { everyHours: 6 });
  clock += 6 * HOUR;
  await worker.look();
  expect(await kept()).toMatchObject([
    { table_name: 'one', state: 'repaired', differences: '3', repaired: '3' },
    { table_name: 'two', state: 'ok' },
  ]);
  await scheduleSource(pool, 'shop', { everyHours: 0 });
  clock += 100 * DAY;
  await worker.look();
  expect(worker.stats().verified).toBe(4);
}, 60_000);

it('by default PostgreSQL is not compared, YugabyteDB daily', async () => {
  const worker = schedule('worker-1', {});
  clock = added + 30 * DAY;
  await worker.look();
  expect(await kept()).toEqual([]);
  await world.pool.query("UPDATE bac.sources SET kind = 'yugabytedb'");
  try {
    clock = added + DAY;
    await worker.look();
    expect((await kept()).map(({ table_name: table }) => table)).toEqual(['one', 'two']);
  } finally {
    await world.pool.query("UPDATE bac.sources SET kind = 'postgres'");
  }
}, 60_000);

it('one worker at a time, whatever their number; a lease held elsewhere is respected', async () => {
  const { pool } = world;
  clock = added + DAY;
  const elsewhere = await acquireLease({ pool, name: 'verify', holder: 'worker-9' });
  const workers = ['worker-1', 'worker-2', 'worker-3'].map((name) => schedule(name));
  await workers[0]!.look();
  expect(await kept()).toEqual([]);
  await elsewhere.release();
  for (let round = 0; round < 3; round += 1) await Promise.all(workers.map((worker) => worker.look()));
  expect(workers.reduce((sum, worker) => sum + worker.stats().verified, 0)).toBe(2);
  expect((await pool.query("SELECT 1 FROM bac.leases WHERE name = 'verify'")).rowCount).toBe(0);
}, 60_000);

it('a source that cannot be reached is recorded and tried again in an hour; the worker goes on', async () => {
  const { pool } = world;
  const { rows } = await pool.query<{ url: string }>("SELECT url FROM bac.sources WHERE name = 'shop'");
  const worker = schedule();
  worker.start();
  clock = added + DAY;
  await pool.query("UPDATE bac.sources SET url = 'postgresql://nobody@127.0.0.1:1/none'");
  try {
    await worker.look();
    const failed = await kept();
    expect(failed.map(({ state }) => state)).toEqual(['failed', 'failed']);
    expect(failed[0]!.reason).toContain('SOURCE_UNREACHABLE');
    expect(failed[0]!.compared_at).toBeNull();
    clock += HOUR - 1;
    await worker.look();
    expect(worker.stats()).toMatchObject({ verified: 0, failed: 2 });
  } finally {
    await pool.query('UPDATE bac.sources SET url = $1', [rows[0]!.url]);
  }
  clock += 1;
  await worker.look();
  expect((await kept()).map(({ state }) => state)).toEqual(['ok', 'ok']);
  await worker.stop();
  await worker.look();
  expect(worker.stats().verified).toBe(2);
}, 60_000);

it('a table that differs too much to be repaired row by row is read afresh', async () => {
  const { warehouse, pool, registry } = world;
  await warehouse.command("INSERT INTO shop.two (id, v) SELECT number + 1000, 'extra' FROM numbers(12000)");
  await pool.query("DELETE FROM bac.verifications WHERE table_name = 'one'");
  clock = added + DAY;
  const worker = schedule();
  await worker.look();
  const [, two] = await kept();
  expect(two).toMatchObject({ state: 'different' });
  expect(two!.reason).toContain('a new snapshot has been asked for');
  const id = { source: 'shop', schema: 'public', table: 'two' };
  await eventually(async () => {
    const entry = await registry.table(id);
    return entry?.generation === 2 && entry.state === 'streaming' ? true : undefined;
  }, 30_000);
  const [left] = await warehouse.query<{ n: string }>('SELECT count() AS n FROM shop.two FINAL');
  expect(left!.n).toBe('50');
}, 120_000);
