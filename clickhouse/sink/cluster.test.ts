import { afterAll, beforeAll, expect, test } from 'vitest';
import { chTable, configSchema, type TableSchema, UNAVAILABLE } from '#kernel';
import { type TestCluster, testCluster } from '#tests/cluster';
import { eventually } from '#tests/eventually';
import { migrateWarehouse } from '../schema/index.ts';
import { readTable } from '../tables/index.ts';
import { column, event, scalar, tableSchema } from './testing/events.ts';
import { testWorld, type World } from './testing/world.ts';

let cluster: TestCluster;
let world: World;
beforeAll(async () => {
  cluster = await testCluster(2);
  world = await testWorld(cluster);
}, 60_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

/** Rows of each shard by key, each row once (FINAL). */
async function perShard(schema: TableSchema, key = 'code'): Promise<string[][]> {
  const { stored } = (await readTable(world.warehouse, 'shop', schema.table))!;
  return Promise.all(
    cluster.engines.map(async ({ warehouse }) => {
      const rows = await warehouse.query<{ k: string }>(
        `SELECT DISTINCT toString(${key}) AS k FROM ${chTable('shop', stored)}`,
      );
      return rows.map(({ k }) => k);
    }),
  );
}

const orders = (extra: Partial<TableSchema> = {}): TableSchema =>
  tableSchema(
    'orders',
    [
      column(2, 'code', scalar('text'), { nullable: false }),
      column(3, 'amount', scalar('numeric', { precision: 12, scale: 2 }), { nullable: false }),
      column(4, 'note', scalar('text')),
    ],
    { key: ['code', 'id'], ...extra },
  );

const row = (id: number, amount: string, note: string | null = `note ${id}`) => ({
  id,
  code: `C-${id}\t"\\${id % 3}`,
  amount,
  note,
});

test('a table of two shards: snapshot, changes, new shapes, history, truncate, another generation, removal', async () => {
  const schema = orders();
  const copied = Array.from({ length: 300 }, (_, id) => {
    const { code, amount, note } = row(id, '1.00');
    return `${id}\t${code.replaceAll('\\', '\\\\').replaceAll('\t', '\\t')}\t${amount}\t${note}\t{}\n`;
  });
  const history = [`shop.public.orders`];
  const sink = world.sink({ history });
  await world.register(schema, { rows: copied.join(''), partitions: 2 });
  await sink.start();
  let lsn = 0;
  const at = (sv = 1) => {
    lsn += 10;
    return { lsn, sv };
  };
  // Changes of rows of the snapshot, of new ones, a large value left out, keys that move to another shard.
  await world.append(
    schema,
    [
      ...Array.from({ length: 200 }, (_, id) =>
        event(schema, 'u', null, { ...row(id, '2.00'), note: UNAVAILABLE }, at()),
      ),
      ...Array.from({ length: 200 }, (_, n) => event(schema, 'c', null, row(300 + n, '3.00'), at())),
      ...Array.from({ length: 50 }, (_, id) => event(schema, 'd', row(250 + id, '1.00'), null, at())),
    ],
    2,
  );
  await world.drained();
  const keys = await perShard(schema);
  expect(keys[0]!.length + keys[1]!.length).toBe(500);
  expect(new Set(keys.flat()).size).toBe(500);
  expect(Math.min(keys[0]!.length, keys[1]!.length)).toBeGreaterThan(150);
  const wanted = (id: number) => ({ id, amount: id < 200 ? 2 : id < 250 ? 1 : 3, note: `note ${id}` });
  const ids = [...Array(250).keys(), ...Array.from({ length: 200 }, (_, n) => 300 + n)];
  expect(await world.rows(schema, 'id, amount, note')).toEqual(ids.map(wanted));
  for (const { warehouse } of cluster.engines)
    expect(
      await warehouse.query(
        "SELECT table, expr FROM system.data_skipping_indices WHERE table LIKE 'orders\\_\\_%' ORDER BY table",
      ),
    ).toEqual(['orders__g1', 'orders__history__local'].map((table) => ({ table, expr: '_committed_at' })));

  // A column gets NULL, one is added with a value for older rows, one is renamed.
  const next = orders({
    version: 2,
    columns: [
      ...schema.columns.slice(0, 3),
      { ...schema.columns[3]!, name: 'remark' },
      column(5, 'paid', scalar('bool'), { nullable: false, fill: 'true' }),
    ],
  });
  await world.registry.addVersion(next);
  await world.append(
    next,
    [
      event(schema, 'c', null, { ...row(1000, '9.00'), amount: null }, at()),
      ...Array.from({ length: 20 }, (_, id) => {
        const { note, ...rest } = row(2000 + id, '4.00');
        return event(next, 'c', null, { ...rest, remark: note, paid: false }, at(2));
      }),
    ],
    2,
  );
  await world.drained();
  const evolved = await world.rows<{ id: number; amount: number | null; remark: string; paid: boolean }>(
    next,
    'id, amount, remark, paid',
  );
  expect(evolved.length).toBe(450 + 21);
  expect(evolved.find(({ id }) => id === 1000)).toMatchObject({ amount: null, paid: true });
  expect(evolved.filter(({ paid }) => !paid).length).toBe(20);
  const reader = await cluster.engines[1]!.warehouse.query<{ name: string; type: string }>(
    "SELECT name, type FROM system.columns WHERE database = 'shop' AND table = 'orders' ORDER BY position",
  );
  expect(reader.map(({ name }) => name)).toEqual([
    ...['id', 'code', 'amount', 'remark', 'paid'],
    ...['_raw', '_version', '_deleted', '_committed_at'],
  ]);
  expect(reader[2]!.type).toBe('Nullable(Decimal(12, 2))');

  await world.append(next, [event(next, 't', null, null, at(2))], 1);
  await world.drained();
  expect(await world.rows(next, 'id')).toEqual([]);
  const versions = await Promise.all(
    cluster.engines.map(({ warehouse }) =>
      warehouse.query<{ n: string }>('SELECT count() AS n FROM shop.orders__history__local FINAL'),
    ),
  );
  const kept = versions.flat().reduce((sum, { n }) => sum + Number(n), 0);
  // Changes, rows of the new shape, tombstones; this snapshot has no part in the history.
  expect(kept).toBe(450 + 21 + 471);

  // Another generation is built aside and takes its place; rows of before are gone with their table.
  await world.register(next, {
    generation: 2,
    rows: '1\tX\t1.00\tn\tt\t{}\n2\tY\t1.00\tn\tt\t{}\n',
    partitions: 2,
  });
  await world.register(next, { generation: 2, partitions: 2 });
  expect(await world.rows(next, 'id')).toEqual([{ id: 1 }, { id: 2 }]);
  const tables = async () =>
    Promise.all(
      cluster.engines.map(async ({ warehouse }) =>
        (await warehouse.query<{ name: string }>("SELECT name FROM system.tables WHERE database = 'shop'"))
          .map(({ name }) => name)
          .sort(),
      ),
    );
  const left = ['orders', 'orders__g2', 'orders__history', 'orders__history__local'];
  expect(await tables()).toEqual([left, left]);
  await world.snapshots.drop(schema);
  expect(await tables()).toEqual([[], []]);
  await sink.stop();
}, 120_000);

test('a shard that is away for a while: what is acknowledged is there, once; the rest waits for it', async () => {
  const schema = tableSchema('away', [column(2, 'n', scalar('int4'))]);
  await world.register(schema);
  const sink = world.sink();
  await sink.start();
  const send = (from: number) =>
    world.append(
      schema,
      Array.from({ length: 500 }, (_, n) =>
        event(schema, 'c', null, { id: from + n, n: from }, { lsn: (from + n) * 10 }),
      ),
    );
  await send(1);
  await world.drained();
  cluster.shut(1);
  await send(501);
  // What belongs to the other shard gets there all the same.
  await eventually(async () => {
    const rows = await cluster.engines[0]!.warehouse.query('SELECT id FROM shop.away__g1 WHERE n = 501');
    return rows.length > 100 ? true : undefined;
  }, 20_000);
  const lag = await world.log.lag('bac.sink');
  expect(lag.find(({ topic }) => topic === 'shop.public.away')!.lag).toBe(500);
  cluster.open(1);
  await send(1001);
  await world.drained(40_000);
  expect((await world.rows(schema, 'id')).map((one) => (one as { id: number }).id)).toEqual(
    Array.from({ length: 1500 }, (_, id) => id + 1),
  );
  const [a, b] = await perShard(schema, 'id');
  expect(a!.filter((id) => b!.includes(id))).toEqual([]);
  await sink.stop();
}, 90_000);

test('a shard added to the cluster has no rows of a table made before, but takes part', async () => {
  const schema = tableSchema('grown', [column(2, 'n', scalar('int4'))]);
  await world.register(schema, { rows: '' });
  const { cluster: whole } = world.warehouse;
  // As it was when there was one shard.
  const state = async (change: (comment: string) => string) => {
    const [row] = await cluster.engines[0]!.warehouse.query<{ comment: string }>(
      "SELECT comment FROM system.columns WHERE database = 'shop' AND table = 'grown__g1' AND name = '_version'",
    );
    await cluster.engines[0]!.warehouse.command(
      `ALTER TABLE shop.grown__g1 COMMENT COLUMN _version '${change(row!.comment)}'`,
    );
  };
  await state((comment) => comment.replace(',"shards":2', ''));
  await cluster.engines[1]!.warehouse.command('DROP TABLE shop.grown__g1 SYNC');
  const sink = world.sink();
  await sink.start();
  await world.append(
    schema,
    Array.from({ length: 100 }, (_, id) => event(schema, 'c', null, { id, n: 1 }, { lsn: 10 + id })),
  );
  await world.drained();
  expect((await whole!.shards()).length).toBe(2);
  expect((await perShard(schema, 'id')).map((ids) => ids.length)).toEqual([100, 0]);
  await world.register(schema, {
    generation: 2,
    rows: Array.from({ length: 100 }, (_, id) => `${id}\t1\t{}\n`).join(''),
  });
  await world.register(schema, { generation: 2 });
  expect(Math.min(...(await perShard(schema, 'id')).map((ids) => ids.length))).toBeGreaterThan(20);
  await sink.stop();
}, 60_000);

test('a cluster of one shard, read through its Distributed table', async () => {
  await using one = await testCluster(1);
  await using small = await testWorld(one);
  await migrateWarehouse(one.warehouse);
  await migrateWarehouse(one.warehouse);
  const schema = orders();
  await small.register(schema, { rows: '1\tA\t1.00\tfirst\t{}\n' });
  const sink = small.sink(configSchema.parse({}).sink);
  await sink.start();
  const added = orders({ version: 2, columns: [...schema.columns, column(5, 'extra', scalar('int4'))] });
  await small.registry.addVersion(added);
  await small.append(added, [
    event(schema, 'u', null, { id: 1, code: 'A', amount: '5.00', note: null }, { lsn: 10 }),
    event(added, 'c', null, { id: 2, code: 'B', amount: '7.00', note: null, extra: 3 }, { lsn: 20 }),
  ]);
  await small.drained();
  const read = () =>
    one.warehouse.query('SELECT id, amount, extra FROM shop.orders FINAL WHERE _deleted = 0 ORDER BY id');
  expect(await read()).toEqual([
    { id: 1, amount: 5, extra: null },
    { id: 2, amount: 7, extra: 3 },
  ]);
  expect(
    await one.warehouse.query(
      'SELECT table, generation, schema_version, stored_rows FROM bac.captured_tables',
    ),
  ).toEqual([{ table: 'orders', generation: '1', schema_version: '2', stored_rows: '3' }]);
  // A new generation takes the place of the one that is being read.
  await small.register(added, { generation: 2, rows: '9\tZ\t1.00\t\\N\t4\t{}\n' });
  await small.register(added, { generation: 2 });
  expect(await read()).toEqual([{ id: 9, amount: 1, extra: 4 }]);
  // The reader's table was not changed when the process ended: the next sink mends it.
  await one.warehouse.command('ALTER TABLE shop.orders__g2 MODIFY COLUMN note Nullable(String)');
  await one.warehouse.command(
    'CREATE OR REPLACE TABLE shop.orders AS shop.orders__g2 ENGINE = Distributed(main, shop, orders__g2, 0)',
  );
  await small.append(added, [
    event(added, 'c', null, { id: 10, code: 'Q', amount: '1.00', note: null, extra: 0 }, { lsn: 30, gen: 2 }),
  ]);
  await small.drained();
  await one.warehouse.command('CREATE TABLE shop.foreign (x Int32) ENGINE = MergeTree ORDER BY x');
  const foreign = tableSchema('foreign', [column(2, 'n', scalar('int4'))]);
  await small.snapshots.begin(foreign, 1, false);
  await expect(small.snapshots.finish(foreign, 1)).rejects.toMatchObject({ code: 'TABLE_NOT_OURS' });
  await sink.stop();
}, 120_000);
