import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Sink } from '#clickhouse';
import { eventually } from '#tests/eventually';
import { verifyTables } from './index.ts';
import { type Pipeline, pipeline } from './testing.ts';

const ROWS = 2_500_000;
let world: Pipeline;
let sink: Sink;
beforeAll(async () => {
  world = await pipeline();
  await world.app.query(`
    CREATE TABLE big (id int PRIMARY KEY, name text, amount numeric(12,2), at timestamptz);
    INSERT INTO big SELECT i, md5(i::text), i / 7.0, now() + i * interval '1 s' FROM generate_series(1, ${ROWS}) i;
    ANALYZE`);
  sink = await world.sink();
  await world.capture();
  await world.state('big', 'streaming');
});
afterAll(() => world?.[Symbol.asyncDispose]());

const verify = (repair = false) =>
  verifyTables({
    pool: world.pool,
    registry: world.registry,
    warehouse: world.warehouse,
    log: world.log,
    source: 'shop',
    repair,
  });

test('a missing, an extra and a changed row are found in whichever of several ranges, and repaired', async () => {
  await world.warehouse.command('ALTER TABLE shop.big DELETE WHERE id = 1777777 SETTINGS mutations_sync = 2');
  await world.warehouse.command(
    `INSERT INTO shop.big (id, name, _version, _deleted) SELECT ${ROWS + 7}, 'extra', max(_version), 0 FROM shop.big`,
  );
  await world.warehouse.command(
    "INSERT INTO shop.big SELECT * REPLACE ('wrong' AS name, _version + 1 AS _version) FROM shop.big FINAL WHERE id = 5",
  );
  const [found] = (await verify()).tables;
  expect(found).toMatchObject({ state: 'different', ranges: 3, differences: 3, repaired: 0, changing: 0 });
  expect([...found!.examples].sort((a, b) => Number(a.key.id) - Number(b.key.id))).toMatchObject([
    { kind: 'different', key: { id: '5' }, columns: [{ column: 'name', warehouse: 'wrong' }] },
    { kind: 'missing-in-warehouse', key: { id: '1777777' } },
    { kind: 'extra-in-warehouse', key: { id: String(ROWS + 7) } },
  ]);
  expect((await verify(true)).tables[0]).toMatchObject({ state: 'repaired', differences: 3, repaired: 3 });
  expect((await verify()).tables[0]).toMatchObject({ state: 'ok', differences: 0, sourceRows: ROWS });
});

test('what was repaired is looked at when the warehouse has it, however far the source is known to be complete', async () => {
  const { warehouse, pool, log } = world;
  await warehouse.command(
    "ALTER TABLE shop.big UPDATE name = 'wrong' WHERE id = 9 SETTINGS mutations_sync = 2",
  );
  const stored = async (): Promise<number> => {
    const [topic] = await log.topics('shop.public.big');
    return topic!.extents.reduce((sum, { end }) => sum + end, 0);
  };
  const before = await stored();
  await sink.stop();
  // As where nothing is written at the source for a while.
  await pool.query('UPDATE bac.watermarks SET lsn = lsn + 1000000000');
  const repairing = verify(true);
  await eventually(async () => ((await stored()) > before ? true : undefined), 30_000);
  sink = await world.sink();
  expect((await repairing).tables[0]).toMatchObject({ state: 'repaired', differences: 1, repaired: 1 });
});
