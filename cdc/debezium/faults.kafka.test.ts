import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { compareTable } from '#tests/compare';
import { eventually } from '#tests/eventually';
import { pauseSource, removeSource, resumeSource } from '../capture/index.ts';
import { type World, world } from './testing.ts';

let w: World;
let row = 1000;
beforeAll(async () => {
  w = await world({ settings: { max_slot_wal_keep_size: '4MB', wal_keep_size: '0' } });
  await w.app.query(`CREATE TABLE items (id int PRIMARY KEY, v text);
    INSERT INTO items SELECT g, 'first ' || g FROM generate_series(1, 500) g;
    CREATE TABLE odd (id int PRIMARY KEY, spans interval[]);
    CREATE TABLE "with space" (id int PRIMARY KEY)`);
  await w.capture();
  await w.add({ name: 'shop', engine: 'debezium' });
  await w.streams('shop', 'items');
});
afterAll(() => w?.[Symbol.asyncDispose]());

/** Something of each kind changes. */
async function change(): Promise<void> {
  row += 10;
  await w.app.query(`INSERT INTO items SELECT g, 'new' FROM generate_series(${row}, ${row + 9}) g`);
  await w.app.query(`UPDATE items SET v = v || '*' WHERE id % 7 = ${row % 7}`);
  await w.app.query('DELETE FROM items WHERE id IN (SELECT min(id) FROM items)');
}

async function equal(table = 'items', source = 'shop'): Promise<void> {
  await w.settled(source);
  expect(await compareTable(w.app, w.clickhouse.warehouse, source, 'public', table)).toEqual([]);
}

const problem = (code: string): Promise<unknown> =>
  eventually(
    async () => ((await w.source('shop')).error?.code === code ? true : undefined),
    60_000,
    () => `no ${code}`,
  );
const healthy = (): Promise<unknown> =>
  eventually(
    async () => {
      const { state, error } = await w.source('shop');
      return state === 'streaming' && error === null ? true : undefined;
    },
    120_000,
    () => 'the source does not stream',
  );
const generation = async (table = 'items'): Promise<number> =>
  (await w.registry.table({ source: 'shop', schema: 'public', table }))?.generation ?? 0;

/** Drops the slot in the moment in which nobody reads it. */
async function dropSlot(): Promise<void> {
  await eventually(async () => {
    await w.app.query(
      "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'bac_shop'",
    );
    const dropped = await w.app
      .query("SELECT pg_drop_replication_slot('bac_shop')")
      .then(() => true)
      .catch(() => undefined);
    return dropped;
  }, 30_000);
}

beforeEach(async () => {
  const { rows } = await w.pool.query(
    "SELECT 1 FROM bac.sources WHERE name = 'shop' AND desired = 'running'",
  );
  if (rows.length > 0) await healthy();
});

test('a source is refused with what to do when something is missing', async () => {
  const refused = (source: object, setup: object = w.setup) =>
    import('../capture/index.ts').then(({ addSource }) =>
      addSource(
        w.pool,
        w.log,
        { name: 'wrong', kind: 'postgres', url: w.url, engine: 'debezium', ...source },
        setup as typeof w.setup,
      ),
    );
  await expect(refused({}, { log: 'kafka' })).rejects.toMatchObject({ code: 'CONNECT_NOT_CONFIGURED' });
  await expect(refused({}, { ...w.setup, log: 'embedded' })).rejects.toMatchObject({ code: 'LOG_NOT_KAFKA' });
  await expect(refused({}, { ...w.setup, connect: { url: 'http://127.0.0.1:1' } })).rejects.toMatchObject({
    code: 'CONNECT_UNREACHABLE',
  });
  await expect(refused({ kind: 'yugabytedb' })).rejects.toMatchObject({ disposition: 'user' });
  // As Connect sees it, the database is somewhere else: validated by the connector itself.
  const elsewhere = { connector: { 'database.hostname': '127.0.0.1', 'database.port': 1 } };
  await expect(refused({ debezium: elsewhere })).rejects.toMatchObject({
    code: 'CONNECTOR_INVALID',
    message: expect.stringContaining('database.hostname'),
  });
});

test('tables that Debezium cannot carry say so and stop no other', async () => {
  const entry = (table: string) => w.registry.table({ source: 'shop', schema: 'public', table });
  expect(await entry('odd')).toMatchObject({ state: 'unsupported', error: { code: 'COLUMN_NOT_CARRIED' } });
  expect(await entry('with space')).toMatchObject({
    state: 'unsupported',
    error: { code: 'TABLE_NAME_NOT_CARRIED' },
  });
  await change();
  await equal();
});

test('Connect killed with -9 under load and started again', async () => {
  const load = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time += 1) await change();
  };
  const before = load(40);
  await w.kafka.killConnect();
  await Promise.all([before, problem('CONNECT_UNREACHABLE')]);
  await load(40);
  await Promise.all([w.kafka.restartConnect(), load(40)]);
  await healthy();
  await equal();
});

test('a task that failed is told with its cause and goes on by itself once that is mended', async () => {
  await w.app.query('ALTER PUBLICATION bac_shop RENAME TO hidden');
  await w.app.query(
    "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'bac_shop'",
  );
  await problem('CONNECTOR_FAILED');
  const { error } = await w.source('shop');
  expect(error?.message).toMatch(/publication/i);
  await w.app.query('DROP PUBLICATION IF EXISTS bac_shop');
  await w.app.query('ALTER PUBLICATION hidden RENAME TO bac_shop');
  await change();
  await healthy();
  await equal();
});

test('a slot that was dropped: a new one, everything anew, nothing lost', async () => {
  const before = await generation();
  await dropSlot();
  await w.app.query('DELETE FROM items WHERE id % 11 = 0');
  await change();
  await eventually(
    async () => ((await generation()) > before ? true : undefined),
    90_000,
    () => 'no new generation',
  );
  await healthy();
  await w.streams('shop', 'items');
  await change();
  await equal();
});

test('a slot whose WAL the server removed while Connect was away', async () => {
  const before = await generation();
  await w.kafka.killConnect();
  await w.app.query('CREATE TABLE noise (v text)');
  await eventually(async () => {
    await w.app.query(`INSERT INTO noise SELECT repeat('x', 1000) FROM generate_series(1, 20000)`);
    await w.app.query('SELECT pg_switch_wal()');
    await w.app.query('CHECKPOINT');
    const { rows } = await w.app.query(
      "SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'bac_shop'",
    );
    return rows[0]?.wal_status === 'lost' || rows.length === 0 ? true : undefined;
  }, 120_000);
  await w.app.query('DROP TABLE noise');
  await change();
  await w.kafka.restartConnect();
  await eventually(
    async () => ((await generation()) > before ? true : undefined),
    90_000,
    () => 'no new generation',
  );
  await healthy();
  await w.streams('shop', 'items');
  await equal();
});

test('a topic that was deleted: its table is read anew, the others are not', async () => {
  await w.app.query('CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1)');
  await w.streams('shop', 'other');
  await equal('other');
  const before = [await generation(), await generation('other')];
  await w.log.deleteTopic('shop.public.items');
  await eventually(
    async () => ((await generation()) > before[0]! ? true : undefined),
    90_000,
    () => 'no new generation',
  );
  await w.streams('shop', 'items');
  await change();
  await equal();
  expect(await generation('other')).toBe(before[1]);
});

test('a connector that somebody deleted or paused is put right; paused and resumed by the hub', async () => {
  await w.connect.delete('bac-shop');
  await eventually(async () => ((await w.connect.config('bac-shop')) ? true : undefined), 60_000);
  await healthy();
  await change();
  await equal();
  await w.connect.stop('bac-shop');
  await change();
  await equal();
  await pauseSource(w.pool, w.log, 'shop');
  await eventually(async () => ((await w.source('shop')).state === 'paused' ? true : undefined), 60_000);
  expect((await w.connect.status('bac-shop'))?.connector.state).toBe('STOPPED');
  await change();
  await resumeSource(w.pool, w.log, 'shop');
  await healthy();
  await equal();
});

test('Debezium’s own snapshot through the log, and removal without a trace', async () => {
  await w.add({
    name: 'through',
    engine: 'debezium',
    tables: ['items'],
    debezium: { snapshot: 'debezium', connector: { 'max.batch.size': 512 } },
  });
  await w.streams('through', 'items');
  await change();
  await equal('items', 'through');
  const versions = await w.clickhouse.warehouse.query<{ n: string }>(
    `SELECT count() AS n FROM through.items FINAL WHERE bitAnd(_version, ${2n ** 52n - 1n}) = 0`,
  );
  expect(Number(versions[0]!.n)).toBeGreaterThan(100);
  await removeSource(w.pool, w.log, 'through');
  await removeSource(w.pool, w.log, 'shop');
  await eventually(
    async () => ((await w.pool.query('SELECT FROM bac.sources')).rowCount === 0 ? true : undefined),
    60_000,
  );
  expect(await w.connect.config('bac-shop')).toBeNull();
  expect((await w.app.query('SELECT FROM pg_replication_slots')).rowCount).toBe(0);
  expect((await w.app.query('SELECT FROM pg_publication')).rowCount).toBe(0);
  expect(await w.log.topics('shop.')).toEqual([]);
});
