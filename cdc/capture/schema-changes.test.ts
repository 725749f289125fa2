import pg from 'pg';
import { expect, test } from 'vitest';
import { eventually } from '#tests/eventually';
import { addSource, resnapshotSource } from './sources.ts';
import { converges, eventsOf, streams, type World, world } from './testing.ts';

const add = (at: World, tables?: string[]): Promise<void> =>
  addSource(at.pool, at.log, { name: 'shop', kind: 'postgres', url: at.url('shop'), tables });

const entryOf = (at: World, table: string) => at.registry.table({ source: 'shop', schema: 'public', table });

const versionsSeen = async (at: World, table: string): Promise<number[]> => [
  ...new Set((await eventsOf(at.log, 'shop', table)).map(({ value }) => value.source.sv)),
];

test('added, renamed and dropped columns go on as new versions without a snapshot', async () => {
  await using at = await world();
  const { app, registry } = at;
  await app.query('CREATE TABLE t (id int PRIMARY KEY, a text, b text)');
  await app.query("INSERT INTO t VALUES (1, 'a', 'b')");
  await at.capture({ partitions: 1 }).start();
  await add(at);
  await streams(at, 't');
  await app.query("INSERT INTO t VALUES (2, 'a', 'b')");
  await app.query("ALTER TABLE t ADD COLUMN c text DEFAULT 'fill'");
  await app.query("INSERT INTO t VALUES (3, 'a', 'b', 'c')");
  await app.query('ALTER TABLE t RENAME COLUMN a TO renamed');
  await app.query("UPDATE t SET renamed = 'again' WHERE id = 2");
  await app.query('ALTER TABLE t DROP COLUMN b');
  await app.query("INSERT INTO t VALUES (4, 'x', 'y')");
  await eventually(
    async () => ((await eventsOf(at.log, 'shop', 't')).length === 4 ? true : undefined),
    30_000,
    () => 'not all changes arrived',
  );
  const events = await eventsOf(at.log, 'shop', 't');
  expect(events.map(({ value }) => [value.source.sv, value.source.gen])).toEqual([
    [1, 1],
    [2, 1],
    [3, 1],
    [4, 1],
  ]);
  expect(events[3]!.value.after).toEqual({ id: 4, renamed: 'x', c: 'y' });
  const id = { source: 'shop', schema: 'public', table: 't' };
  expect((await registry.version(id, 2))!.columns.map(({ name, fill }) => [name, fill])).toContainEqual([
    'c',
    'fill',
  ]);
  expect((await registry.version(id, 4))!.columns.map(({ name, attnum }) => [name, attnum])).toEqual([
    ['id', 1],
    ['renamed', 2],
    ['c', 4],
  ]);
  expect(await entryOf(at, 't')).toMatchObject({ version: 4, generation: 1, state: 'streaming' });
});

test('a changed type, a rewrite and a table made again begin a new generation', async () => {
  await using at = await world();
  const { app } = at;
  await app.query(
    'CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t SELECT i, i FROM generate_series(1, 100) i',
  );
  await at.capture({ partitions: 1 }).start();
  await add(at);
  await streams(at, 't');
  await app.query('INSERT INTO t VALUES (101, 101)');
  await app.query("ALTER TABLE t ALTER a TYPE text USING 'v' || a");
  await app.query("INSERT INTO t VALUES (102, 'x')");
  await converges(at, app, 't', ['id']);
  expect((await entryOf(at, 't'))!.generation).toBe(2);
  await app.query(
    "DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (5, 'second life')",
  );
  await converges(at, app, 't', ['id']);
  await app.query("UPDATE t SET a = 'and on'");
  await converges(at, app, 't', ['id']);
  expect((await entryOf(at, 't'))!.generation).toBe(3);
});

test('values rewritten under the same type begin a new generation; truncate and rename do not', async () => {
  await using at = await world();
  const { app } = at;
  await app.query(
    'CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t SELECT i, i FROM generate_series(1, 100) i',
  );
  await at.capture({ rescanMs: 300, partitions: 1 }).start();
  await add(at);
  await streams(at, 't');
  await app.query('TRUNCATE t; INSERT INTO t SELECT i, i FROM generate_series(1, 50) i');
  await converges(at, app, 't', ['id']);
  await app.query('ALTER TABLE t RENAME a TO b; INSERT INTO t VALUES (51, 51)');
  await converges(at, app, 't', ['id']);
  await app.query('ALTER TABLE t ALTER b TYPE bigint; ALTER TABLE t ALTER b TYPE int USING 7');
  await converges(at, app, 't', ['id']);
  expect((await entryOf(at, 't'))!.state).toBe('streaming');
});

test('a table that nobody writes to gets its new shape as well', async () => {
  await using at = await world();
  const { app } = at;
  await app.query('CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)');
  await at.capture({ rescanMs: 300, partitions: 1 }).start();
  await add(at);
  await streams(at, 't');
  await app.query('ALTER TABLE t ADD COLUMN c int DEFAULT 7');
  await eventually(async () => ((await entryOf(at, 't'))?.version === 2 ? true : undefined), 30_000);
  await app.query('INSERT INTO t VALUES (2, 8)');
  await eventually(
    async () => ((await eventsOf(at.log, 'shop', 't')).length === 1 ? true : undefined),
    30_000,
  );
  expect((await eventsOf(at.log, 'shop', 't'))[0]!.value).toMatchObject({
    after: { id: 2, c: 8 },
    source: { sv: 2, gen: 1 },
  });
});

test('new tables are found by their first row or by looking; dropped ones are marked', async () => {
  await using at = await world();
  const { app } = at;
  await app.query('CREATE TABLE one (id int PRIMARY KEY)');
  await at.capture({ rescanMs: 300 }).start();
  await add(at);
  await streams(at, 'one');
  await app.query('CREATE TABLE two (id int PRIMARY KEY, v text); INSERT INTO two VALUES (1, $$a$$)');
  await converges(at, app, 'two', ['id']);
  await app.query("UPDATE two SET v = 'b'");
  await converges(at, app, 'two', ['id']);
  await app.query('CREATE TABLE silent (id int PRIMARY KEY)');
  await streams(at, 'silent');
  await app.query('DROP TABLE one');
  await eventually(
    async () => ((await entryOf(at, 'one'))?.state === 'dropped' ? true : undefined),
    20_000,
    () => 'the dropped table is not marked',
  );
  await app.query('INSERT INTO silent VALUES (1)');
  await converges(at, app, 'silent', ['id']);
});

test('a transaction older than the publication of its table loses nothing', async () => {
  await using at = await world();
  const { app } = at;
  await app.query('CREATE TABLE one (id int PRIMARY KEY)');
  await at.capture({ rescanMs: 1000 }).start();
  await add(at);
  await streams(at, 'one');
  const slow = new pg.Client({ connectionString: at.url('shop') });
  await slow.connect();
  // One transaction makes the table; inserts and updates before it is published; the stream shows the inserts only.
  await app.query('CREATE TABLE late (id int PRIMARY KEY, v text)');
  await slow.query('BEGIN');
  await slow.query("INSERT INTO late VALUES (1, 'old'); UPDATE late SET v = 'new' WHERE id = 1");
  await app.query("INSERT INTO late VALUES (2, 'x')");
  await eventually(
    async () => ((await entryOf(at, 'late'))?.error?.code === 'TABLE_WAITING' ? true : undefined),
    20_000,
    () => 'the table does not wait',
  );
  await slow.query('INSERT INTO one VALUES (1)');
  await app.query('INSERT INTO one VALUES (2)');
  await slow.query('COMMIT');
  await slow.end();
  await streams(at, 'late');
  await app.query("INSERT INTO late VALUES (3, 'y')");
  await converges(at, app, 'late', ['id']);
  await converges(at, app, 'one', ['id']);
});

test('the operator asks for a new snapshot', async () => {
  await using at = await world();
  const { app, pool, log } = at;
  await app.query('CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 1000)');
  await at.capture().start();
  await add(at, ['t']);
  await streams(at, 't');
  await expect(resnapshotSource(pool, log, 'shop', ['tt'])).rejects.toMatchObject({
    code: 'TABLE_NOT_FOUND',
    next: 'Did you mean "public.t"?',
  });
  await resnapshotSource(pool, log, 'shop', ['t']);
  await app.query('DELETE FROM t WHERE id % 2 = 0');
  await eventually(async () => ((await entryOf(at, 't'))?.generation === 2 ? true : undefined), 20_000);
  await converges(at, app, 't', ['id']);
  expect(await versionsSeen(at, 't')).not.toContain(0);
  // The request is taken away once every table has begun, which a quick snapshot may come before.
  const options = async () => (await pool.query('SELECT options FROM bac.sources')).rows;
  await expect.poll(options, { timeout: 20_000 }).toEqual([{ options: { tables: ['public.t'] } }]);
});
