import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ColumnType, topicOf } from '#kernel';
import { column, scalar, tableSchema } from '../sink/testing/events.ts';
import { testWorld, type World } from '../sink/testing/world.ts';

let world: World;
beforeAll(async () => {
  world = await testWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const rows = (text: string): Readable => Readable.from([Buffer.from(text)], { objectMode: false });
const tables = async () =>
  (
    await world.warehouse.query<{ name: string }>(
      "SELECT name FROM system.tables WHERE database = 'shop' ORDER BY name",
    )
  ).map(({ name }) => name);

test('a snapshot is built aside, resumed or begun anew, and takes its place once', async () => {
  const { snapshots } = world;
  const schema = tableSchema('parts', [column(2, 'name', scalar('text'))]);
  await snapshots.begin(schema, 1, false);
  await snapshots.load(schema, 1, rows('1\tdropped\t{}\n'), 'with-raw');
  await snapshots.begin(schema, 1, false);
  await snapshots.load(schema, 1, rows('2\tkept\t{}\n'), 'with-raw');
  await snapshots.begin(schema, 1, true);
  await snapshots.load(schema, 1, rows('2\tkept\n3\tmore\n'), 'plain');
  expect(await tables()).toEqual(['parts__g1']);
  await snapshots.finish(schema, 1);
  await snapshots.finish(schema, 1);
  expect(await tables()).toEqual(['parts']);
  expect(await world.rows(schema, 'id, name')).toEqual([
    { id: 2, name: 'kept' },
    { id: 3, name: 'more' },
  ]);

  await snapshots.begin(schema, 2, false);
  await snapshots.begin(schema, 3, false);
  await snapshots.load(schema, 3, rows('4\tthird\t{}\n'), 'with-raw');
  expect(await world.rows(schema, 'id')).toHaveLength(2);
  // As after a crash between the exchange and the drop of the old table.
  await world.warehouse.command('EXCHANGE TABLES shop.parts AND shop.parts__g3');
  await snapshots.finish(schema, 3);
  expect(await tables()).toEqual(['parts']);
  expect(await world.rows(schema, 'id, name')).toEqual([{ id: 4, name: 'third' }]);
  await expect(snapshots.finish(schema, 4)).rejects.toMatchObject({ code: 'SNAPSHOT_MISSING' });
  await expect(
    world.warehouse.command('INSERT INTO shop.parts (id, _version) VALUES (1, 5)'),
  ).rejects.toMatchObject({
    code: 'WAREHOUSE_VIOLATED_CONSTRAINT',
  });
  await snapshots.drop(schema);
  expect(await tables()).toEqual([]);
});

test('a table of thirty nullable arrays is loaded; NULL is told from empty', async () => {
  const { snapshots } = world;
  const list: ColumnType = { kind: 'array', element: scalar('text'), sourceType: 'text[]' };
  const lists = Array.from({ length: 30 }, (_, index) => column(index + 2, `l${index}`, list));
  const schema = tableSchema('lists', lists);
  await snapshots.begin(schema, 1, false);
  const given = (id: number, field: (index: number) => string, raw = '{}'): string =>
    `${[id, ...lists.map((_, index) => field(index)), raw].join('\t')}\n`;
  await snapshots.load(
    schema,
    1,
    rows(
      given(1, () => '\\N') +
        given(2, () => '[]') +
        given(3, (index) => (index === 4 ? '\\N' : '["a"]'), "{'l7':'{{a}}'}"),
    ),
    'with-raw',
  );
  const plain = lists.map((_, index) => (index === 4 ? '\\N' : '["b"]'));
  await snapshots.load(schema, 1, rows(`${['4', ...plain].join('\t')}\n`), 'plain');
  await snapshots.finish(schema, 1);
  expect(await world.rows(schema, 'id, length(_raw) AS odd, _raw')).toMatchObject([
    { id: 1, odd: '30', _raw: { l0: 'NULL', l29: 'NULL' } },
    { id: 2, odd: '0', _raw: {} },
    { id: 3, odd: '2', _raw: { l7: '{{a}}', l4: 'NULL' } },
    { id: 4, odd: '1', _raw: { l4: 'NULL' } },
  ]);
});

test('a snapshot that was overtaken, or would replace a foreign table, is refused', async () => {
  const { snapshots, registry } = world;
  const schema = tableSchema('stale', [column(2, 'name', scalar('text'))]);
  const { source, table } = schema;
  await registry.upsertTable({
    source,
    schema: 'public',
    table,
    topic: topicOf(schema),
    version: 1,
    state: 'snapshotting',
    generation: 2,
    snapshotRows: 0,
    estimatedRows: 0,
    error: null,
  });
  await snapshots.begin(schema, 1, false);
  await expect(snapshots.finish(schema, 1)).rejects.toMatchObject({ code: 'SNAPSHOT_STALE' });
  await world.warehouse.command('CREATE TABLE shop.stale (x Int32) ENGINE = MergeTree ORDER BY x');
  await snapshots.begin(schema, 2, false);
  await expect(snapshots.finish(schema, 2)).rejects.toMatchObject({ code: 'TABLE_NOT_OURS' });
});
