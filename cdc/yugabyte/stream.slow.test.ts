import pg from 'pg';
import { expect, test } from 'vitest';
import { eventually } from '#tests/eventually';
import { removeSource } from '../capture/index.ts';
import { profileOf } from '../catalog/index.ts';
import { openSessions } from '../snapshot/index.ts';
import { afterSlot } from '../snapshot/read-time.ts';
import { type World, world } from './testing/world.ts';

const TABLES = 'CREATE TABLE orders (id int PRIMARY KEY, total int)';
const FILL = 'INSERT INTO orders SELECT i, i FROM generate_series(1, 100) i';

const tableOf = ({ registry }: World, table: string) =>
  registry.table({ source: 'shop', schema: 'public', table });

test('a table published late is read once its changes arrive: those in between are lost to the stream only', async () => {
  await using at = await world({ refreshMs: 1500 });
  await at.ddl(TABLES);
  await at.app.query(FILL);
  await at.capture();
  await at.add('?publication_refresh_s=2');
  await at.equal('orders');
  await at.ddl('CREATE TABLE late (id int PRIMARY KEY, v text)');
  await eventually(async () => ((await tableOf(at, 'late')) === null ? undefined : true), 10_000);
  expect(await tableOf(at, 'late')).toMatchObject({ state: 'pending', error: { code: 'TABLE_WAITING' } });
  // Goes on while the publication is being noticed and while the table is read.
  for (let id = 0; id < 300; id += 1) {
    await at.app.query('INSERT INTO late VALUES ($1, $2)', [id, `v${id}`]);
    if (id % 3 === 0) await at.app.query('UPDATE late SET v = NULL WHERE id = $1', [Math.floor(id / 2)]);
    await new Promise((resolve) => setTimeout(resolve, 8));
  }
  await at.equal('late', 'orders');
}, 60_000);

test('a slot that does not move on is told of before its changes are thrown away; one that lingers is dropped in the end', async () => {
  // Longer than it is tried to drop it at once, however slow the machine; it comes free below.
  await using at = await world({ lingerMs: 60_000 });
  await at.ddl(TABLES);
  const capture = await at.capture();
  await at.add('?retention_h=0.001');
  await at.equal('orders');
  const alarm = (): string | undefined => capture.stats().sources.shop?.alarm;
  await eventually(async () => (alarm() === 'none' ? true : undefined), 5000);
  at.standIn.slots.get('bac_shop')!.frozen = true;
  await eventually(async () => (alarm() === 'warn' ? true : undefined), 8000);
  await eventually(async () => (alarm() === 'alarm' ? true : undefined), 8000);
  await removeSource(at.pool, at.log, 'shop');
  await eventually(async () => {
    const { rows } = await at.pool.query<{ error: { code: string } | null }>('SELECT error FROM bac.sources');
    return rows[0]?.error?.code === 'SLOT_ACTIVE' ? true : undefined;
  }, 20_000);
  at.standIn.slots.get('bac_shop')!.lastRead = 0;
  await eventually(async () => {
    const { rowCount } = await at.pool.query('SELECT 1 FROM bac.sources');
    return rowCount === 0 && at.standIn.slots.size === 0 ? true : undefined;
  }, 20_000);
}, 90_000);

test('a user who may not choose what moment to read waits until every clock is past the slot’s position', async () => {
  await using at = await world();
  await at.app.query(`CREATE ROLE reader LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA bac TO reader;
    GRANT SELECT ON bac.standin_slots TO reader`);
  const owner = new pg.Client(at.standIn.url);
  await owner.connect();
  await owner.query("SELECT pg_create_logical_replication_slot('ahead', 'yboutput')");
  await owner.end();
  at.standIn.slots.get('ahead')!.restartAt += 500_000;
  const sessions = openSessions(at.standIn.url.replace(/\/\/[^@]*@/, '//reader:x@'), 2);
  const join = afterSlot(profileOf('yugabytedb'), 'ahead', sessions, new AbortController().signal);
  const started = performance.now();
  await sessions.use((client) => join(client));
  // Half a second ahead, and a second for the other nodes' clocks.
  expect(performance.now() - started).toBeGreaterThan(1400);
  expect(at.standIn.statements.some(({ sql }) => sql.includes('SET LOCAL yb_read_time'))).toBe(false);
  await sessions.close();
}, 30_000);
