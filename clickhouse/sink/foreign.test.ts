import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Sink } from '#clickhouse';
import { type LogRecord, type TableSchema, topicOf, UNAVAILABLE } from '#kernel';
import { eventually } from '#tests/eventually';
import { generationAt, readGenerations, shapeOf } from './foreign.ts';
import { column, event, scalar, tableSchema } from './testing/events.ts';
import { testWorld, type World } from './testing/world.ts';

let world: World;
let sink: Sink;
beforeAll(async () => {
  world = await testWorld();
  sink = world.sink();
  await sink.start();
});
afterAll(async () => {
  await sink.stop();
  await world[Symbol.asyncDispose]();
});

const text = (attnum: number, name: string) => column(attnum, name, scalar('text'));
const snapshotAt = (commit: number): TableSchema['since'] => ({ commit, change: 0, snapshot: true });
/** As Debezium writes it. */
const foreign = (
  schema: TableSchema,
  op: 'c' | 'u' | 'd',
  before: Parameters<typeof event>[2],
  after: Parameters<typeof event>[3],
  lsn: number,
): LogRecord => event(schema, op, before, after, { lsn, gen: null });
const deadLetters = async (table: string) =>
  (
    await world.pool.query<{ error_code: string }>(
      "SELECT error_code FROM bac.dead_letters WHERE table_name = $1 AND state = 'open'",
      [table],
    )
  ).rows.map((row) => row.error_code);

test('an event’s generation follows from its place in the log, its shape from its columns', async () => {
  const first = tableSchema('placed', [text(2, 'a')], {
    since: snapshotAt(10),
    from: { offsets: { 0: 5 }, lsn: 7 },
  });
  const renamed = { ...first, version: 2, columns: [first.columns[0]!, text(2, 'b')], since: undefined };
  const again = tableSchema('placed', [text(3, 'a')], {
    version: 3,
    since: snapshotAt(50),
    from: { offsets: { 0: 100 }, lsn: 7 },
  });
  for (const schema of [first, renamed, again]) await world.registry.addVersion(schema as TableSchema);
  const entry = {
    source: 'shop',
    schema: 'public',
    table: 'placed',
    topic: topicOf(first),
    state: 'streaming' as const,
    generation: 2,
    version: 3,
    snapshotRows: 0,
    estimatedRows: 0,
    error: null,
  };
  const generations = await readGenerations(world.registry, entry, 1);
  expect(generations.map(({ generation, versions }) => [generation, versions.length])).toEqual([
    [2, 1],
    [1, 2],
  ]);
  const at = (partition: number, offset: number, lsn: number) =>
    generationAt(generations, partition, offset, lsn)?.generation;
  expect([at(0, 100, 60), at(0, 99, 60), at(0, 4, 60), at(1, 0, 60), at(0, 200, 6)]).toEqual([
    2,
    1,
    undefined,
    2,
    undefined,
  ]);
  const [, older] = generations;
  expect(shapeOf(older!, ['id', 'a'])?.columns.map(({ attnum }) => attnum)).toEqual([1, 2]);
  expect(shapeOf(older!, ['id', 'b'])?.columns.map(({ attnum }) => attnum)).toEqual([1, 2]);
  expect(shapeOf(older!, ['id', 'a', 'b'])).toBeNull();
  expect(shapeOf(older!, ['id', 'c'])).toBeNull();
  // Registered, its shape not yet: nothing can be said of any event.
  expect(await readGenerations(world.registry, { ...entry, version: 4, generation: 3 }, 1)).toEqual([]);
});

test('events of a generation that is being built wait, older ones go where they belong', async () => {
  const first = tableSchema('again', [text(2, 'a')], { since: snapshotAt(1) });
  await world.register(first, { rows: '1\tsnapshot\t{}\n' });
  await world.append(first, [foreign(first, 'u', null, { id: 1, a: 'one' }, 20)]);
  await world.drained();
  const second = { ...first, version: 2, since: snapshotAt(25), from: { offsets: { 0: 2 }, lsn: 0 } };
  const { source, table } = first;
  const id = { source, schema: 'public', table };
  await world.registry.updateTable(id, { generation: 2, version: 2, state: 'pending' });
  await world.registry.addVersion(second);
  await world.control({ type: 'table', ...id });
  await world.append(first, [
    foreign(first, 'u', null, { id: 1, a: 'two' }, 22),
    foreign(first, 'c', null, { id: 2, a: 'new' }, 30),
  ]);
  await eventually(async () => sink.stats().tables[topicOf(first)]?.held ?? undefined, 10_000);
  expect(await world.rows(first, 'id, a')).toEqual([{ id: 1, a: 'two' }]);
  await world.register(second, { generation: 2, rows: '1\tby snapshot\t{}\n' });
  await world.drained();
  expect(await world.rows(first, 'id, a')).toEqual([
    { id: 1, a: 'by snapshot' },
    { id: 2, a: 'new' },
  ]);
});

test('columns added, renamed and dropped are told by name; what fits nothing is asked for, then dead', async () => {
  const first = tableSchema('shaped', [text(2, 'a'), text(3, 'gone')], { since: snapshotAt(100) });
  await world.register(first, { rows: '' });
  const second = {
    ...first,
    version: 2,
    since: { commit: 100, change: 0, snapshot: false },
    columns: [first.columns[0]!, text(2, 'b'), column(4, 'extra', scalar('int4'), { fill: '5' })],
  };
  await world.registry.addVersion(second);
  await world.registry.updateTable(first, { version: 2 });
  await world.append(first, [
    foreign(first, 'c', null, { id: 1, a: 'old', gone: 'x' }, 110),
    foreign(first, 'c', null, { id: 2, b: 'new', extra: 7 }, 120),
    foreign(first, 'c', null, { id: 3, a: 'between' }, 121),
    // A transaction that ended before the generation began, sent again: it is in the snapshot.
    foreign(first, 'c', null, { id: 4, unheard: 'of' }, 90),
    foreign(first, 'c', null, { id: 5, unheard: 'of' }, 130),
    foreign(first, 'c', null, { id: 6, b: 'last', extra: 8 }, 140),
  ]);
  await world.drained();
  expect(await world.rows(second, 'id, b, extra')).toEqual([
    { id: 1, b: 'old', extra: 5 },
    { id: 2, b: 'new', extra: 7 },
    { id: 3, b: 'between', extra: 5 },
    { id: 6, b: 'last', extra: 8 },
  ]);
  expect(await deadLetters('shaped')).toEqual(['COLUMN_UNKNOWN']);
});

test('yboutput’s form: a column that is null was not touched, one with value null became NULL', async () => {
  const schema = tableSchema('partial', [text(2, 'a'), text(3, 'b'), column(4, 'n', scalar('numeric'))]);
  await world.register(schema, { rows: '1\tkept\told\t1.5\t{}\n' });
  const set = (value: unknown) => ({ value, set: true });
  const record = (op: string, lsn: number, before: unknown, after: unknown): LogRecord => ({
    key: Buffer.from('{"id":{"value":1,"set":true}}'),
    value: Buffer.from(JSON.stringify({ before, after, op, source: { lsn, ts_us: 1, snapshot: 'false' } })),
  });
  await world.append(schema, [
    record('u', 10, null, { id: set(1), a: null, b: set(null), n: null }),
    { key: Buffer.from('{"id":{"value":1,"set":true}}'), value: null },
  ]);
  await world.drained();
  const read = () => world.rows(schema, 'id, a, b, toString(n) AS n');
  expect(await read()).toEqual([{ id: 1, a: 'kept', b: null, n: '1.5' }]);
  await world.append(schema, [
    record('u', 11, null, { id: set(1), a: set('new'), b: null, n: null }),
    record('u', 12, null, { id: set(1), a: null, b: set('both'), n: set('2') }),
  ]);
  await world.drained();
  expect(await read()).toEqual([{ id: 1, a: 'new', b: 'both', n: '2' }]);
  await world.append(schema, [record('d', 13, { id: set(1), a: null, b: null, n: null }, null)]);
  await world.drained();
  expect(await read()).toEqual([]);
});

test('every form of the placeholder keeps what the row has', async () => {
  const list = (element: ReturnType<typeof scalar>) =>
    ({ kind: 'array', element, sourceType: `${element.sourceType}[]` }) as const;
  const bytes = Buffer.from(UNAVAILABLE);
  const schema = tableSchema('placeholders', [
    text(2, 't'),
    column(3, 'b', scalar('bytes')),
    column(4, 'ts', list(scalar('text'))),
    column(5, 'us', list(scalar('uuid'))),
    column(6, 'ns', list(scalar('int4'))),
    column(7, 'h', scalar('other', { sourceType: 'hstore' })),
    column(8, 'm', scalar('other', { sourceType: 'hstore' })),
    column(9, 'k', scalar('int4')),
  ]);
  const uuid = '00112233-4455-6677-8899-aabbccddeeff';
  await world.register(schema, {
    rows: `1\tlong\tff\t["a"]\t["${uuid}"]\t[1,2]\t"a"=>"1"\t"b"=>"2"\t1\t{}\n`,
  });
  const after = {
    id: 1,
    t: UNAVAILABLE,
    b: bytes.toString('base64'),
    ts: [UNAVAILABLE],
    us: ['6a4d6a4a-0000-0000-0000-000000000000'],
    ns: [...bytes],
    h: JSON.stringify({ [UNAVAILABLE]: UNAVAILABLE }),
    m: { [UNAVAILABLE]: UNAVAILABLE },
    k: 2,
  };
  // UUID.nameUUIDFromBytes of the placeholder, as the connector computes it.
  const { createHash } = await import('node:crypto');
  const hash = createHash('md5').update(bytes).digest();
  hash[6] = (hash[6]! & 0x0f) | 0x30;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  after.us = [hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')];
  const value = { before: null, after, op: 'u', source: { lsn: 5, ts_us: 1 } };
  await world.append(schema, [{ key: Buffer.from('{"id":1}'), value: Buffer.from(JSON.stringify(value)) }]);
  await world.drained();
  expect(await world.rows(schema, 'id, t, hex(b) AS b, ts, us, ns, h, m, k')).toEqual([
    { id: 1, t: 'long', b: 'FF', ts: ['a'], us: [uuid], ns: [1, 2], h: '"a"=>"1"', m: '"b"=>"2"', k: 2 },
  ]);
});

test('tables without a primary key: a changed row is its old key gone and a new one there', async () => {
  const schema = tableSchema('keyless', [text(2, 'a')], {
    keyRule: 'whole-row',
    key: ['id', 'a'],
    fullIdentity: true,
    columns: [column(1, 'id', scalar('int4')), text(2, 'a')],
  });
  await world.register(schema, { rows: '1\tx\t{}\n' });
  const keyless = (record: LogRecord): LogRecord => ({ ...record, key: null });
  await world.append(schema, [
    keyless(foreign(schema, 'u', { id: 1, a: 'x' }, { id: 1, a: 'y' }, 10)),
    keyless(foreign(schema, 'c', null, { id: 2, a: 'z' }, 11)),
    keyless(foreign(schema, 'd', { id: 2, a: 'z' }, null, 12)),
  ]);
  await world.drained();
  expect(await world.rows(schema, 'id, a')).toEqual([{ id: 1, a: 'y' }]);
});

test('wrapped events, and a topic in another format, which stops no other table', async () => {
  const wrapped = tableSchema('wrapped', [text(2, 'a')]);
  const avro = tableSchema('avro', [text(2, 'a')]);
  await world.register(wrapped, { rows: '' });
  await world.register(avro, { rows: '' });
  const envelope = { before: null, after: { id: 1, a: 'in' }, op: 'r', source: { lsn: 99, ts_us: 5 } };
  await world.append(avro, [
    { key: Buffer.from([0, 0, 0, 0, 1]), value: Buffer.from([0, 0, 0, 0, 1, 2, 2]) },
  ]);
  await world.append(wrapped, [
    {
      key: Buffer.from('{"schema":{},"payload":{"id":1}}'),
      value: Buffer.from(JSON.stringify({ schema: { type: 'struct' }, payload: envelope })),
    },
    { key: Buffer.from('{}'), value: Buffer.from('{"schema":null,"payload":null}') },
    foreign(wrapped, 'u', null, { id: 1, a: 'changed' }, 1),
  ]);
  await world.drained();
  // The r row counts as LSN 0: any change overrides it.
  expect(await world.rows(wrapped, 'id, a')).toEqual([{ id: 1, a: 'changed' }]);
  expect(await deadLetters('avro')).toEqual(['EVENT_NOT_JSON']);
});

test('a TRUNCATE, which stands in one partition, empties what the others still bring', async () => {
  const schema = tableSchema('spread', [text(2, 'a')], { from: { offsets: {}, lsn: 0 } });
  await world.register(schema, { rows: '', partitions: 2 });
  const topic = topicOf(schema);
  const put = (partition: number, ...records: LogRecord[]) =>
    world.log.append([{ topic, partition, records }]);
  await put(0, foreign(schema, 'c', null, { id: 1, a: 'x' }, 10), {
    ...event(schema, 't', null, null, { lsn: 20, gen: null }),
  });
  await world.drained();
  // Written before the TRUNCATE, and read after it: the second one that was appended behind it sees to it.
  const late = foreign(schema, 'c', null, { id: 2, a: 'late' }, 11);
  const [truncate] = (await world.log.read(topic, 1, 0, 10)).slice(-1);
  expect(truncate?.value?.toString()).toContain('"gen":1');
  await put(
    1,
    late,
    { key: null, value: truncate!.value },
    foreign(schema, 'c', null, { id: 3, a: 'y' }, 30),
  );
  await world.drained();
  expect(await world.rows(schema, 'id, a')).toEqual([{ id: 3, a: 'y' }]);
});

test('what only the source can tell is asked for, and comes whole: a moved row, a NULL that may be unchanged', async () => {
  const numbers = { kind: 'array', element: scalar('float8'), sourceType: 'float8[]' } as const;
  const schema = tableSchema('moved', [text(2, 't'), column(3, 'f', numbers)]);
  await world.register(schema, { rows: '1\tlong\t[1.5]\t{}\n3\tthree\t[9]\t{}\n' });
  const source = new Map([
    ['2', { id: 2, t: 'long', f: '{2.5}' }],
    ['3', { id: 3, t: 'changed', f: '{9}' }],
  ]);
  const asked: unknown[] = [];
  world.onComplete(async ({ rows, partition }) => {
    asked.push(...rows);
    const records = rows.flatMap(({ key, lsn }) => {
      const row = source.get(key.id!);
      return row ? [event(schema, 'c', null, row, { lsn })] : [];
    });
    if (records.length > 0) await world.log.append([{ topic: topicOf(schema), partition, records }]);
  });
  await world.append(schema, [
    foreign(schema, 'd', { id: 1 }, null, 10),
    foreign(schema, 'c', null, { id: 2, t: UNAVAILABLE, f: [2.5] as never }, 10),
    foreign(schema, 'u', null, { id: 3, t: 'changed', f: null }, 20),
    // Moved, and gone by now: nothing comes of it.
    foreign(schema, 'd', { id: 4 }, null, 25),
    foreign(schema, 'c', null, { id: 5, t: UNAVAILABLE, f: [] as never }, 25),
    foreign(schema, 'c', null, { id: 6, t: 'null', f: null }, 30),
  ]);
  await world.drained();
  expect(await world.rows(schema, "id, t, f, _raw['f'] AS raw")).toEqual([
    { id: 2, t: 'long', f: [2.5], raw: '' },
    { id: 3, t: 'changed', f: [9], raw: '' },
    { id: 6, t: 'null', f: [], raw: 'NULL' },
  ]);
  expect(asked).toEqual([
    expect.objectContaining({ key: { id: '2' }, lsn: 10 }),
    expect.objectContaining({ key: { id: '3' }, lsn: 20 }),
    expect.objectContaining({ key: { id: '5' }, lsn: 25 }),
  ]);
});
