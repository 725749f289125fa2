import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type RowImage, type TableSchema, topicOf, UNAVAILABLE, type Warehouse } from '#kernel';
import { eventually } from '#tests/eventually';
import { evolve, readTable } from '../tables/index.ts';
import { discardDeadLetters, replayDeadLetters } from './dead-letters.ts';
import type { Sink } from './sink.ts';
import { column, event, scalar, tableSchema } from './testing/events.ts';
import { testWorld, type World } from './testing/world.ts';

let world: World;
let sink: Sink;
beforeAll(async () => {
  world = await testWorld();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(async () => {
  sink = world.sink({ history: ['shop.public.kept'] });
  await sink.start();
});
afterEach(() => sink.stop());

const text = (attnum: number, name: string) => column(attnum, name, scalar('text'));

test('snapshot rows, inserts, updates and deletes converge', async () => {
  const schema = tableSchema('basic', [text(2, 'name'), column(3, 'at', scalar('timestamptz'))]);
  await world.register(schema, { rows: '1\tone\t2024-01-01 00:00:00\t{}\n2\ttwo\t\\N\t{}\n' });
  await world.append(schema, [
    event(
      schema,
      'c',
      null,
      { id: 3, name: 'th"r\\ee\n\u0001é😀', at: '2024-02-29 10:00:00.5+00' },
      { lsn: 10 },
    ),
    event(schema, 'u', null, { id: 1, name: UNAVAILABLE, at: 'infinity' }, { lsn: 11 }),
    event(schema, 'd', { id: 2 }, null, { lsn: 12 }),
    event(schema, 'u', null, { id: 3, name: UNAVAILABLE, at: '2024-02-29 11:00:00+00' }, { lsn: 13 }),
  ]);
  await world.drained();
  expect(await world.rows(schema, 'id, name, at, _raw')).toEqual([
    { id: 1, name: 'one', at: '2299-12-31 23:59:59.999999', _raw: { at: 'infinity' } },
    { id: 3, name: 'th"r\\ee\n\u0001é😀', at: '2024-02-29 11:00:00.000000', _raw: {} },
  ]);
});

/** Plays capture, which reads a moved row from the source: as it is there by then. */
const completes = (schema: TableSchema, rowOf: (id: number) => RowImage): void =>
  world.onComplete(async ({ rows, partition }) => {
    const records = rows.map(({ key, lsn }) => event(schema, 'c', null, rowOf(Number(key.id)), { lsn }));
    await world.log.append([{ topic: topicOf(schema), partition, records }]);
  });

test('unchanged values are found in the batch, in the warehouse and behind a changed key', async () => {
  const schema = tableSchema('toast', [
    text(2, 'big'),
    column(3, 'n', scalar('numeric')),
    column(4, 'k', scalar('int4')),
  ]);
  await world.register(schema, { rows: "1\tfrom snapshot\t\\N\t0\t{'n':'NaN'}\n" });
  const gone = UNAVAILABLE;
  completes(schema, (id) => ({ id, big: 'x'.repeat(100), n: '2', k: id === 20 ? 1 : 7 }));
  await world.append(schema, [event(schema, 'u', null, { id: 1, big: gone, n: gone, k: 1 }, { lsn: 10 })]);
  await world.drained();
  await world.append(schema, [
    event(schema, 'u', null, { id: 1, big: gone, n: gone, k: 2 }, { lsn: 11 }),
    event(schema, 'c', null, { id: 2, big: 'x'.repeat(100), n: '1.50', k: 0 }, { lsn: 12 }),
    event(schema, 'u', null, { id: 2, big: gone, n: '2', k: 1 }, { lsn: 13 }),
    event(schema, 'd', { id: 2 }, null, { lsn: 14, gen: null }),
    event(schema, 'c', null, { id: 20, big: gone, n: gone, k: 1 }, { lsn: 14, gen: null }),
  ]);
  await world.drained();
  expect(await world.rows(schema, 'id, big, toString(n) AS n, k, _raw')).toEqual([
    { id: 1, big: 'from snapshot', n: null, k: 2, _raw: { n: 'NaN' } },
    { id: 20, big: 'x'.repeat(100), n: '2', k: 1, _raw: {} },
  ]);
  // The halves of a changed key in two deliveries.
  await world.append(schema, [event(schema, 'd', { id: 20 }, null, { lsn: 15, gen: null })]);
  await world.drained();
  await world.append(schema, [
    event(schema, 'c', null, { id: 30, big: gone, n: gone, k: 7 }, { lsn: 15, gen: null }),
  ]);
  await world.drained();
  expect(await world.rows(schema, 'id, big, toString(n) AS n, k')).toEqual([
    { id: 1, big: 'from snapshot', n: null, k: 2 },
    { id: 30, big: 'x'.repeat(100), n: '2', k: 7 },
  ]);
});

test('an older change that comes later in one delivery never takes a newer one’s place', async () => {
  const schema = tableSchema('late', [column(2, 'name', scalar('text'))]);
  await world.register(schema);
  const at = (op: 'c' | 'u' | 'd', id: number, name: string | null, lsn: number) =>
    event(schema, op, op === 'd' ? { id } : null, name === null ? null : { id, name }, { lsn });
  // Sent again from further back and cut there; one append is one delivery.
  await world.append(schema, [
    at('c', 1, 'old', 10),
    at('u', 1, 'new', 20),
    at('c', 2, 'gone', 11),
    at('d', 2, null, 21),
    at('c', 1, 'old', 10),
    at('c', 2, 'gone', 11),
  ]);
  await world.drained();
  expect(await world.rows(schema, 'id, name')).toEqual([{ id: 1, name: 'new' }]);
});

test('a changed key that is sent again does not take the values of what is under the old key by then', async () => {
  const schema = tableSchema('moved_again', [text(2, 'big'), column(3, 'k', scalar('int4'))]);
  await world.register(schema, { rows: '1\told\t0\t{}\n' });
  const change = (op: 'c' | 'u' | 'd', lsn: number, id: number, big: string, k: number) =>
    event(schema, op, op === 'd' ? { id } : null, op === 'd' ? null : { id, big, k }, { lsn, gen: null });
  let k = 1;
  completes(schema, (id) => ({ id, big: 'new', k }));
  const moved = [change('d', 12, 1, '', 0), change('c', 12, 2, UNAVAILABLE, 1)];
  // The value that moves is never stored under the old key: its update and the move come together.
  await world.append(schema, [change('u', 11, 1, 'new', 1), ...moved]);
  await world.drained();
  const right = [{ id: 2, big: 'new', k: 1 }];
  expect(await world.rows(schema, 'id, big, k')).toEqual(right);
  await world.append(schema, moved);
  await world.drained();
  expect(await world.rows(schema, 'id, big, k')).toEqual(right);
  k = 2;
  await world.append(schema, [...moved, change('u', 13, 2, UNAVAILABLE, 2), change('c', 14, 1, 'other', 0)]);
  await world.drained();
  await world.append(schema, [...moved, change('u', 13, 2, UNAVAILABLE, 2)]);
  await world.drained();
  expect(await world.rows(schema, 'id, big, k')).toEqual([
    { id: 1, big: 'other', k: 0 },
    { id: 2, big: 'new', k: 2 },
  ]);
});

test('a bad event becomes a dead letter, the others of its batch and table go on, replay heals', async () => {
  const schema = tableSchema('sick', [column(2, 'n', scalar('int2'))]);
  await world.register(schema);
  const broken = { key: Buffer.from('{"id":9}'), value: Buffer.from('{"before":null') };
  const tooLarge = event(schema, 'c', null, { id: 2, n: 70_000 }, { lsn: 11 });
  await world.append(schema, [
    event(schema, 'c', null, { id: 1, n: 1 }, { lsn: 10 }),
    tooLarge,
    broken,
    event(schema, 'c', null, { id: 3, n: 3 }, { lsn: 12 }),
  ]);
  await world.drained();
  expect(await world.rows(schema, 'id, n')).toEqual([
    { id: 1, n: 1 },
    { id: 3, n: 3 },
  ]);
  const letters = () =>
    world.pool.query(
      "SELECT error_code, log_offset, value, state FROM bac.dead_letters WHERE table_name = 'sick' ORDER BY log_offset",
    );
  expect((await letters()).rows).toMatchObject([
    { error_code: 'VALUE_UNSTORABLE', log_offset: '1', state: 'open', value: tooLarge.value },
    { error_code: 'EVENT_INVALID', log_offset: '2', state: 'open', value: broken.value },
  ]);
  expect(sink.stats().tables[topicOf(schema)]?.deadLetters).toBe(2);
  expect(await discardDeadLetters(world.pool, { table: 'sick' })).toBe(2);

  // A foreign event that is ahead of the registered schema.
  const early = { id: 4, n: 4, extra: 'x' };
  const value = { op: 'c', after: early, source: { lsn: 13, ts_ms: 1_700_000_000_000 } };
  await world.append(schema, [{ key: Buffer.from('{"id":4}'), value: Buffer.from(JSON.stringify(value)) }]);
  await world.drained();
  await world.registry.addVersion({ ...schema, version: 2, columns: [...schema.columns, text(3, 'extra')] });
  await world.registry.updateTable(schema, { version: 2 });
  await world.control({ type: 'table', source: 'shop', schema: 'public', table: 'sick' });
  expect(await replayDeadLetters(world.pool, world.log, { table: 'sick' })).toBe(1);
  await world.drained();
  expect(await world.rows(schema, 'id, n, extra').then((rows) => rows[2])).toEqual(early);
  expect((await letters()).rows.map((row) => row.state)).toEqual(['discarded', 'discarded', 'replayed']);
});

test('too many dead letters stop their table only, and it goes on once they are discarded', async () => {
  const [sick, healthy] = [tableSchema('flood', [text(2, 'a')]), tableSchema('healthy', [text(2, 'a')])];
  await world.register(sick);
  await world.register(healthy);
  const bad = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      key: Buffer.from(`{"id":${index}}`),
      value: Buffer.from('nonsense'),
    }));
  await world.append(sick, bad(990));
  await world.drained();
  await world.append(sick, [...bad(20), event(sick, 'c', null, { id: 1, a: 'x' }, { lsn: 1 })]);
  const state = async () => (await world.registry.table(sick))?.state;
  await eventually(async () => ((await state()) === 'failed' ? true : undefined), 10_000);
  await world.append(healthy, [event(healthy, 'c', null, { id: 1, a: 'x' }, { lsn: 1 })]);
  await eventually(async () => ((await world.rows(healthy)).length === 1 ? true : undefined), 10_000);
  expect((await world.registry.table(sick))?.error?.code).toBe('SINK_TOO_MANY_DEAD_LETTERS');
  await discardDeadLetters(world.pool, { table: 'flood' });
  await world.drained();
  expect(await state()).toBe('streaming');
  expect(await world.rows(sick, 'id, a')).toEqual([{ id: 1, a: 'x' }]);
});

test('truncate empties what was there before and nothing after', async () => {
  const schema = tableSchema('emptied', [text(2, 'name')]);
  await world.register(schema, { rows: '1\told\t{}\n2\told\t{}\n' });
  await world.append(schema, [
    event(schema, 'c', null, { id: 3, name: 'old' }, { lsn: 10 }),
    event(schema, 't', null, null, { lsn: 11 }),
    event(schema, 'c', null, { id: 2, name: 'new' }, { lsn: 12 }),
  ]);
  await world.drained();
  expect(await world.rows(schema, 'id, name')).toEqual([{ id: 2, name: 'new' }]);
});

test('columns come, go, change names and swap them while events of every version flow', async () => {
  const one = tableSchema('shifting', [text(2, 'a'), text(3, 'b'), column(4, 'day', scalar('date'))]);
  await world.register(one, { rows: "1\ta1\tb1\t2299-12-31\t{'day':'infinity'}\n" });
  const added = column(5, 'c', scalar('int4'), { nullable: false, fill: '7' });
  const two: TableSchema = { ...one, version: 2, columns: [...one.columns, added] };
  const [id, a, b, day] = one.columns;
  const three: TableSchema = {
    ...two,
    version: 3,
    columns: [id!, { ...a!, name: 'b' }, { ...b!, name: 'a' }, { ...day!, name: 'date' }, added],
  };
  const four: TableSchema = { ...three, version: 4, columns: three.columns.filter((it) => it.attnum !== 3) };
  for (const schema of [two, three, four]) await world.registry.addVersion(schema);
  await world.append(one, [
    event(one, 'c', null, { id: 2, a: 'a2', b: 'b2', day: null }, { lsn: 10 }),
    event(two, 'c', null, { id: 3, a: 'a3', b: 'b3', day: '-infinity', c: 3 }, { lsn: 11 }),
    event(three, 'c', null, { id: 4, b: 'a4', a: 'b4', date: 'infinity', c: 4 }, { lsn: 12 }),
    event(one, 'c', null, { id: 5, a: 'a5', b: 'b5', day: 'infinity' }, { lsn: 13 }),
  ]);
  await world.drained();
  expect(await world.rows(three, 'id, a, b, date, c, _raw')).toEqual([
    { id: 1, a: 'b1', b: 'a1', date: '2299-12-31', c: 7, _raw: { date: 'infinity' } },
    { id: 2, a: 'b2', b: 'a2', date: null, c: 7, _raw: {} },
    { id: 3, a: 'b3', b: 'a3', date: '1900-01-01', c: 3, _raw: { date: '-infinity' } },
    { id: 4, a: 'b4', b: 'a4', date: '2299-12-31', c: 4, _raw: { date: 'infinity' } },
    { id: 5, a: 'b5', b: 'a5', date: '2299-12-31', c: 7, _raw: { date: 'infinity' } },
  ]);
  await world.append(one, [
    event(four, 'u', null, { id: 4, b: 'a4!', date: null, c: 4 }, { lsn: 14 }),
    event(two, 'u', null, { id: 3, a: 'a3!', b: 'lost', day: null, c: 3 }, { lsn: 15 }),
  ]);
  await world.drained();
  expect(await world.rows(four, 'id, b, date').then((rows) => rows.slice(2, 4))).toEqual([
    { id: 3, b: 'a3!', date: null },
    { id: 4, b: 'a4!', date: null },
  ]);
  const columns = await world.warehouse.query<{ name: string }>(
    "SELECT name FROM system.columns WHERE database = 'shop' AND table = 'shifting' ORDER BY position",
  );
  expect(columns.map(({ name }) => name)).toEqual([
    'id',
    'b',
    'date',
    'c',
    '_raw',
    '_version',
    '_deleted',
    '_committed_at',
  ]);
});

test.each([1, 2, 3, 4, 5, 6])(
  'events of the old shape go on where an alteration was cut after %i statements',
  async (statements) => {
    const name = `cut_${statements}`;
    const one = tableSchema(name, [text(2, 'old'), column(3, 'day', scalar('date'))]);
    const two = tableSchema(name, [column(3, 'date', scalar('date')), text(4, 'new'), text(5, 'newer')], {
      version: 2,
    });
    await world.register(one, { rows: "1\tx\t2299-12-31\t{'day':'infinity'}\n" });
    await world.registry.addVersion(two);
    let left = statements;
    const cut: Warehouse = {
      ...world.warehouse,
      command: async (...args) => {
        left -= 1;
        if (left < 0) throw new Error('killed');
        await world.warehouse.command(...args);
      },
    };
    const applied = (await readTable(world.warehouse, 'shop', name))!;
    await evolve(cut, applied, two).catch((error: Error) => expect(error.message).toBe('killed'));
    await world.append(one, [event(one, 'c', null, { id: 2, old: 'y', day: '2024-01-01' }, { lsn: 10 })]);
    await world.drained();
    await world.append(two, [
      event(two, 'c', null, { id: 9, date: '-infinity', new: 'n', newer: 'm' }, { lsn: 99 }),
    ]);
    await world.drained();
    expect(await world.rows(two, 'id, date, new, newer, _raw')).toEqual([
      { id: 1, date: '2299-12-31', new: null, newer: null, _raw: { date: 'infinity' } },
      { id: 2, date: '2024-01-01', new: null, newer: null, _raw: {} },
      { id: 9, date: '1900-01-01', new: 'n', newer: 'm', _raw: { date: '-infinity' } },
    ]);
  },
);

test('a table to which no row comes gets its new shape as well', async () => {
  const one = tableSchema('quiet', [text(2, 'a')]);
  await world.register(one, { rows: '1\ta1\t{}\n' });
  const added = column(3, 'c', scalar('int4'), { nullable: false, fill: '7' });
  await world.registry.addVersion({ ...one, version: 2, columns: [...one.columns, added] });
  await world.registry.updateTable(one, { version: 2 });
  await world.control({ type: 'table', source: 'shop', schema: 'public', table: 'quiet' });
  const rows = await eventually(() => world.rows(one, 'id, a, c').catch(() => undefined), 10_000);
  expect(rows).toEqual([{ id: 1, a: 'a1', c: 7 }]);
  await world.append(one, [event(one, 'c', null, { id: 2, a: 'a2' }, { lsn: 10 })]);
  await world.drained();
  expect(await world.rows(one, 'id, a, c')).toEqual([...rows, { id: 2, a: 'a2', c: 7 }]);
});

test('a renamed key column and a NULL in a column that was NOT NULL need no new snapshot', async () => {
  const one = tableSchema('strict', [column(2, 'name', scalar('text'), { nullable: false })]);
  await world.register(one, { rows: '1\tx\t{}\n' });
  await world.append(one, [event(one, 'u', null, { id: 1, name: null }, { lsn: 10 })]);
  await world.drained();
  expect(await world.rows(one, 'id, name')).toEqual([{ id: 1, name: null }]);
  const two: TableSchema = {
    ...one,
    version: 2,
    columns: [
      { ...one.columns[0]!, name: 'nr' },
      one.columns[1]!,
      column(3, 'c', scalar('text'), { fill: 'f' }),
    ],
    key: ['nr'],
  };
  await world.registry.addVersion(two);
  await world.append(one, [
    event(two, 'c', null, { nr: 2, name: null, c: null }, { lsn: 11 }),
    event(one, 'c', null, { id: 3, name: 'old' }, { lsn: 12 }),
  ]);
  await world.drained();
  expect(await world.rows(two, 'nr, name, c')).toEqual([
    { nr: 1, name: null, c: 'f' },
    { nr: 2, name: null, c: null },
    { nr: 3, name: 'old', c: 'f' },
  ]);
});

test('events wait for the snapshot of their generation; those of an older one are left out', async () => {
  const schema = tableSchema('reborn', [text(2, 'name')]);
  await world.register(schema, { rows: '1\tgen 1\t{}\n' });
  await world.append(schema, [
    event(schema, 'c', null, { id: 2, name: 'gen 1' }, { lsn: 10 }),
    event(schema, 'c', null, { id: 3, name: 'gen 2' }, { lsn: 11, gen: 2 }),
    // The slot was lost: nothing will ever say that row 4 is gone.
    event(schema, 'c', null, { id: 4, name: 'ghost' }, { lsn: 12 }),
  ]);
  const held = () => sink.stats().tables[topicOf(schema)]?.held ?? undefined;
  await eventually(async () => held(), 10_000);
  expect(held()).toContain('Snapshot 2');
  expect(await world.rows(schema, 'id, name')).toEqual([
    { id: 1, name: 'gen 1' },
    { id: 2, name: 'gen 1' },
  ]);
  await world.register(schema, { generation: 2, rows: '1\tgen 2\t{}\n', told: false });
  await world.drained();
  expect(await world.rows(schema, 'id, name')).toEqual([
    { id: 1, name: 'gen 2' },
    { id: 3, name: 'gen 2' },
  ]);
});

test('events that Debezium writes: r events are a snapshot, values come in its own forms', async () => {
  const schema = tableSchema('foreign', [
    column(2, 'day', scalar('date')),
    column(3, 'at', scalar('timestamp')),
    column(4, 'ms', scalar('timestamp', { sourceType: 'timestamp(3) without time zone' })),
    column(5, 'zoned', scalar('timestamptz')),
    column(6, 'price', scalar('numeric', { precision: 10, scale: 2 })),
    column(7, 'free', scalar('numeric')),
    column(8, 'big', scalar('int8')),
    column(9, 'tags', { kind: 'array', element: scalar('text'), sourceType: 'text[]' }),
    column(10, 'clock', scalar('time')),
  ]);
  await world.register(schema, { rows: '' });
  const row = `{"id":1,"day":-719529,"at":1700000000123456,"ms":1700000000123,"zoned":"2024-02-29T12:00:00.5+02:00","price":"AfQ=","free":{"scale":3,"value":"MDk="},"big":9223372036854775807,"tags":["a","b'c",null],"clock":3723000001}`;
  const wrap = (op: string, lsn: number, before: string, after: string) => ({
    key: Buffer.from('{"id":1}'),
    value: Buffer.from(
      `{"op":"${op}","source":{"lsn":${lsn},"ts_ms":1700000000000,"snapshot":"true"},"before":${before},"after":${after},"ts_ms":1}`,
    ),
  });
  await world.append(schema, [wrap('r', 5, 'null', row), { key: Buffer.from('{"id":2}'), value: null }]);
  await world.drained();
  const read = () =>
    world.rows(
      schema,
      'id, day, at, ms, zoned, toString(price) AS price, toString(free) AS free, toString(big) AS big, tags, clock, _raw',
    );
  const found = {
    id: 1,
    day: '1900-01-01',
    at: '2023-11-14 22:13:20.123456',
    ms: '2023-11-14 22:13:20.123000',
    zoned: '2024-02-29 10:00:00.500000',
    price: '5',
    free: '12.345',
    big: '9223372036854775807',
    tags: ['a', "b'c", null],
    clock: '01:02:03.000001',
    _raw: { day: '0002-12-31 BC' },
  };
  expect(await read()).toEqual([found]);
  const change = row
    .replace('-719529', '19000')
    .replace('["a","b\'c",null]', '["__debezium_unavailable_value"]');
  await world.append(schema, [wrap('u', 6, 'null', change)]);
  await world.drained();
  expect(await read()).toEqual([{ ...found, day: '2022-01-08', _raw: {} }]);
  await world.append(schema, [
    wrap('d', 7, '{"id":1}', 'null'),
    { key: Buffer.from('{"id":1}'), value: null },
  ]);
  await world.drained();
  expect(await read()).toEqual([]);
});

test('history keeps every version once and answers as of a moment', async () => {
  const schema = tableSchema('kept', [text(2, 'name')]);
  await world.register(schema);
  const at = (second: number) => 1_700_000_000_000_000 + second * 1_000_000;
  const records = [
    event(schema, 'c', null, { id: 1, name: 'a' }, { lsn: 10, tsUs: at(0) }),
    event(schema, 'u', null, { id: 1, name: 'b' }, { lsn: 11, tsUs: at(10) }),
    event(schema, 'd', { id: 1 }, null, { lsn: 12, tsUs: at(20) }),
  ];
  await world.append(schema, [...records, ...records]);
  await world.drained();
  const asOf = (second: number) =>
    world.warehouse.query(
      `SELECT id, name FROM (SELECT * FROM shop.kept__history FINAL
         WHERE _committed_at <= fromUnixTimestamp64Micro(${at(second)}, 'UTC') ORDER BY _version DESC LIMIT 1 BY id) WHERE _deleted = 0`,
    );
  expect(await asOf(5)).toEqual([{ id: 1, name: 'a' }]);
  expect(await asOf(15)).toEqual([{ id: 1, name: 'b' }]);
  expect(await asOf(25)).toEqual([]);
  const [count] = await world.warehouse.query<{ n: string }>(
    'SELECT count() AS n FROM shop.kept__history FINAL',
  );
  expect(Number(count?.n)).toBe(3);
});

test('watermarks follow what is stored, also for idle tables, and never go back', async () => {
  const [busy, idle] = [tableSchema('busy', [text(2, 'name')]), tableSchema('idle', [text(2, 'name')])];
  await world.register(busy);
  await world.register(idle);
  const marks = async () => {
    const { rows } = await world.pool.query<{ table_name: string; micros: string }>(
      "SELECT table_name, (extract(epoch FROM committed_at) * 1000000)::bigint AS micros FROM bac.watermarks WHERE table_name IN ('busy', 'idle') ORDER BY 1",
    );
    return rows.map((row) => [row.table_name, Number(row.micros)]);
  };
  const say = (committedAt: number, ends: Record<string, Record<number, number>>) =>
    world.control({ type: 'watermark', source: 'shop', lsn: committedAt, committedAt, ends });
  const is = (...wanted: unknown[]) =>
    eventually(
      async () => (JSON.stringify(await marks()) === JSON.stringify(wanted) ? true : undefined),
      10_000,
      () => `want ${JSON.stringify(wanted)}`,
    );
  await world.append(busy, [event(busy, 'c', null, { id: 1, name: 'x' }, { lsn: 10 })]);
  await say(1_000_000, { [topicOf(busy)]: { 0: 1 } });
  await is(['busy', 1_000_000], ['idle', 1_000_000]);
  // An end that is not reached holds the table's watermark back, not the others'.
  await say(2_000_000, { [topicOf(busy)]: { 0: 2 } });
  await is(['busy', 1_000_000], ['idle', 2_000_000]);
  await world.append(busy, [event(busy, 'c', null, { id: 2, name: 'y' }, { lsn: 11 })]);
  await is(['busy', 2_000_000], ['idle', 2_000_000]);
  await say(1_500_000, {});
  await say(3_000_000, {});
  await is(['busy', 3_000_000], ['idle', 3_000_000]);
});

test('a table is not ahead of a partition that has not been heard of yet', async () => {
  const schema = tableSchema('split', [text(2, 'name')]);
  await world.register(schema, { partitions: 3 });
  const marks = async () => {
    const { rows } = await world.pool.query<{ partition: number; lsn: string }>(
      "SELECT partition, lsn FROM bac.watermarks WHERE table_name = 'split' ORDER BY 1",
    );
    return rows.map(({ partition, lsn }) => [partition, Number(lsn)]);
  };
  const say = (lsn: number, ends: Record<number, number>) =>
    world.control({
      type: 'watermark',
      source: 'shop',
      lsn,
      committedAt: lsn,
      ends: { [topicOf(schema)]: ends },
    });
  // Partition 2 has an event that has not come.
  await say(5, { 2: 1 });
  await eventually(async () => ((await marks()).length > 0 ? true : undefined), 10_000);
  expect(await marks()).toEqual([
    [0, 5],
    [1, 5],
    [2, 0],
  ]);
});

test('what was in the log before the sink began counts, also when a first batch is stored already', async () => {
  const schema = tableSchema('backlog', [text(2, 'name')]);
  await world.register(schema);
  await world.append(schema, [
    event(schema, 'c', null, { id: 1, name: 'stored' }, { lsn: 10 }),
    event(schema, 'c', null, { id: 2, name: 'waits' }, { lsn: 11, gen: 2 }),
  ]);
  const held = () => sink.stats().tables[topicOf(schema)]?.held ?? undefined;
  await eventually(async () => held(), 10_000);
  const other = tableSchema('beside', [text(2, 'name')]);
  await world.register(other);
  const lsnOf = async (table: string) =>
    (await world.pool.query<{ lsn: string }>('SELECT lsn FROM bac.watermarks WHERE table_name = $1', [table]))
      .rows[0]?.lsn;
  // No message names the topic: its events are older than this sink.
  await world.control({ type: 'watermark', source: 'shop', lsn: 20, committedAt: 20, ends: {} });
  await eventually(async () => ((await lsnOf('beside')) === '20' ? true : undefined), 10_000);
  expect(await lsnOf('backlog')).toBeUndefined();
  await world.register(schema, { generation: 2 });
  await world.drained();
  await eventually(async () => ((await lsnOf('backlog')) === '20' ? true : undefined), 10_000);
});
