import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SnapshotTarget, silentLogger, type TableSchema } from '#kernel';
import { eventually } from '#tests/eventually';
import { introspectTables, profileOf } from '../catalog/index.ts';
import { type Pipeline, pipeline } from '../verify/testing.ts';
import { snapshotFields, snapshotPasses } from './expressions.ts';
import { createSnapshotter, type Snapshotter } from './index.ts';
import { planChunks } from './plan.ts';

let world: Pipeline;
const never = new AbortController().signal;

beforeAll(async () => {
  world = await pipeline();
});
afterAll(() => world[Symbol.asyncDispose]());

/** Registers a table of `shop` and gives its shape. */
async function register(table: string): Promise<TableSchema> {
  const [found] = await introspectTables(world.app, 'shop', { tables: [table] });
  const schema: TableSchema = { ...found!.schema, version: 1 };
  await world.registry.addVersion(schema);
  await world.registry.upsertTable({
    source: 'shop',
    schema: 'public',
    table,
    topic: `shop.public.${table}`,
    state: 'pending',
    generation: 1,
    version: 1,
    snapshotRows: 0,
    estimatedRows: 0,
    error: null,
  });
  return schema;
}

/** The real target, with a look at each chunk before it is loaded. */
function watched(
  before: (schema: TableSchema, nth: number) => Promise<void> | void,
): SnapshotTarget & { loads: number } {
  const { target } = world;
  return {
    loads: 0,
    begin: (...args) => target.begin(...args),
    async load(schema, generation, rows, form, signal) {
      this.loads += 1;
      await before(schema, this.loads);
      await target.load(schema, generation, rows, form, signal);
    },
    finish: (...args) => target.finish(...args),
    drop: (...args) => target.drop(...args),
  };
}

const snapshotter = (target: SnapshotTarget, chunkRows = 2000, workers = 2): Snapshotter =>
  createSnapshotter({
    source: 'shop',
    url: world.url,
    kind: 'postgres',
    pool: world.pool,
    registry: world.registry,
    target,
    log: silentLogger(),
    workers,
    chunkRows,
  });

async function makeTable(name: string, rows: number): Promise<TableSchema> {
  await world.app.query(`CREATE TABLE ${name} (id int PRIMARY KEY, v text NOT NULL);
    INSERT INTO ${name} SELECT i, md5(i::text) FROM generate_series(1, ${rows}) i; ANALYZE ${name}`);
  return register(name);
}

const ids = async (table: string): Promise<{ count: number; distinct: number; sum: number }> => {
  const rows = await world.warehouse.query<{ count: string; distinct: string; sum: string }>(
    `SELECT count() AS count, uniqExact(id) AS distinct, sum(id) AS sum FROM shop.${table} FINAL`,
  );
  return { count: Number(rows[0]!.count), distinct: Number(rows[0]!.distinct), sum: Number(rows[0]!.sum) };
};
const all = (rows: number) => ({ count: rows, distinct: rows, sum: (rows * (rows + 1)) / 2 });

describe('createSnapshotter', () => {
  it('reads many ranges at once, tells its progress and ends in streaming', async () => {
    const schema = await makeTable('several', 20_000);
    const target = watched(() => undefined);
    const shooter = snapshotter(target);
    await shooter.snapshot(schema, 1, never);
    await shooter.close();
    expect(target.loads).toBeGreaterThan(5);
    expect(await ids('several')).toEqual(all(20_000));
    expect(await world.registry.table(schema)).toMatchObject({ state: 'streaming', snapshotRows: 20_000 });
  });

  it('resumes after an abort without reading done ranges again, and misses no row that moved meanwhile', async () => {
    const schema = await makeTable('moving', 20_000);
    const abort = new AbortController();
    const first = watched((_, nth) => {
      if (nth === 5) abort.abort(new Error('stopped'));
    });
    const one = snapshotter(first, 2000, 1);
    await expect(one.snapshot(schema, 1, abort.signal)).rejects.toThrow('stopped');
    await one.close();
    // Rows of ranges not read yet move into the room that deleted rows left in a range that was read.
    await world.app.query('DELETE FROM moving WHERE id <= 1000');
    await world.app.query('VACUUM moving');
    await world.app.query("UPDATE moving SET v = 'moved' WHERE id > 19500");
    const { rows } = await world.app.query<{ moved: string }>(
      "SELECT count(*) AS moved FROM moving WHERE id > 19500 AND ctid < '(10,0)'",
    );
    expect(Number(rows[0]!.moved)).toBeGreaterThan(100);
    const second = watched(() => undefined);
    const two = snapshotter(second, 2000, 1);
    await two.snapshot(schema, 1, never);
    await two.close();
    const chunks = await world.pool.query(
      'SELECT 1 FROM bac.snapshot_chunks WHERE table_name = $1 AND chunk >= 0',
      ['moving'],
    );
    // Four were done; what is left, and one pass over the done ones for rows written since.
    expect(second.loads).toBe(chunks.rowCount! - 4 + 1);
    const missing = await world.warehouse.query<{ n: string }>(
      "SELECT count() AS n FROM shop.moving FINAL WHERE id > 19500 AND v = 'moved'",
    );
    expect(Number(missing[0]!.n)).toBe(500);
    // Rows deleted meanwhile are still there: the stream carries their deletion.
    expect(await ids('moving')).toEqual(all(20_000));
  });

  it('goes on when the session that keeps its moment open is gone', async () => {
    const schema = await makeTable('unkept', 20_000);
    const target = watched(async (_, nth) => {
      if (nth !== 3) return;
      const { rowCount } = await world.app.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%pg_export_snapshot%'",
      );
      expect(rowCount).toBe(1);
    });
    const shooter = snapshotter(target, 2000, 1);
    await shooter.snapshot(schema, 1, never);
    await shooter.close();
    expect(await ids('unkept')).toEqual(all(20_000));
  });

  it('begins anew when the table was rewritten while it was read', async () => {
    const schema = await makeTable('rewritten', 20_000);
    await world.app.query('DELETE FROM rewritten WHERE id <= 10000');
    let rewriting: Promise<unknown> | undefined;
    const target = watched((_, nth) => {
      // Waits for the range being read, then the next range waits for it.
      if (nth === 4) rewriting = world.app.query('VACUUM FULL rewritten');
    });
    const shooter = snapshotter(target, 2000, 1);
    await shooter.snapshot(schema, 1, never);
    await shooter.close();
    await rewriting;
    expect(target.loads).toBeGreaterThan(4);
    expect(await ids('rewritten')).toMatchObject({ count: 10_000, distinct: 10_000 });
  });

  it('does not build anew after a crash between the swap and its record', async () => {
    const schema = await makeTable('swapped', 5000);
    const shooter = snapshotter(watched(() => undefined));
    await shooter.snapshot(schema, 1, never);
    await world.registry.updateTable(schema, { state: 'snapshotting' });
    await shooter.snapshot(schema, 1, never);
    await shooter.close();
    expect(await ids('swapped')).toEqual(all(5000));
  });

  it('lets a locked table wait and the others go on', async () => {
    const locked = await makeTable('locked', 100);
    const free = await makeTable('free', 100);
    const locker = new pg.Client(world.url);
    await locker.connect();
    await locker.query('BEGIN; LOCK TABLE locked');
    const shooter = snapshotter(watched(() => undefined));
    const waiting = shooter.snapshot(locked, 1, never);
    await shooter.snapshot(free, 1, never);
    expect(await ids('free')).toEqual(all(100));
    await eventually(
      async () => ((await world.registry.table(locked))?.error?.code === 'TABLE_LOCKED' ? true : undefined),
      20_000,
    );
    await locker.query('COMMIT');
    await locker.end();
    await waiting;
    await shooter.close();
    expect(await world.registry.table(locked)).toMatchObject({ state: 'streaming', error: null });
    expect(await ids('locked')).toEqual(all(100));
  });

  it('says that a table was dropped or changed while it was read', async () => {
    const gone = await makeTable('gone', 10_000);
    const changed = await makeTable('changed', 10_000);
    let dropping: Promise<unknown> | undefined;
    const target = watched((_, nth) => {
      if (nth === 2) dropping = world.app.query('DROP TABLE gone');
    });
    const shooter = snapshotter(target, 2000, 1);
    await expect(shooter.snapshot(gone, 1, never)).rejects.toMatchObject({ code: 'TABLE_DROPPED' });
    await dropping;
    await world.app.query('ALTER TABLE changed RENAME v TO w');
    await expect(shooter.snapshot(changed, 1, never)).rejects.toMatchObject({
      code: 'SNAPSHOT_SHAPE_CHANGED',
    });
    await shooter.close();
  });
});

describe('planChunks', () => {
  const YB = profileOf('yugabytedb');
  const plan = async (table: string, hashColumns: string[] = []) => {
    const [found] = await introspectTables(world.app, 'shop', { tables: [table] });
    const facts = { estimatedRows: found!.estimatedRows, hashColumns };
    return planChunks(world.app, { ...found!.schema, version: 1 }, facts, YB, 1000);
  };
  const counts = async (table: string, ranges: readonly string[]): Promise<number[]> => {
    const sizes: number[] = [];
    for (const range of ranges) {
      const { rows } = await world.app.query<{ n: string }>(
        `SELECT count(*) AS n FROM ${table} WHERE ${range}`,
      );
      sizes.push(Number(rows[0]!.n));
    }
    return sizes;
  };
  const total = (sizes: number[]): number => sizes.reduce((sum, size) => sum + size, 0);

  it('cuts dense integer keys evenly, others by statistics; every row is in one range', async () => {
    await world.app.query(`CREATE TABLE dense (id int PRIMARY KEY); INSERT INTO dense SELECT i - 5000 FROM generate_series(1, 10000) i;
      CREATE TABLE sparse (id bigint PRIMARY KEY); INSERT INTO sparse SELECT i::bigint * i * 1000000 FROM generate_series(1, 10000) i;
      CREATE TABLE words (k varchar(40) PRIMARY KEY); INSERT INTO words SELECT md5(i::text) FROM generate_series(1, 10000) i;
      ANALYZE`);
    for (const table of ['dense', 'sparse', 'words']) {
      const ranges = await plan(table);
      const sizes = await counts(table, ranges);
      expect(ranges.length).toBeGreaterThan(5);
      expect(total(sizes)).toBe(10_000);
      expect(Math.max(...sizes)).toBeLessThan(2500);
    }
  });

  it('cuts hash-sharded keys by their hash', async () => {
    await world.app.query(`CREATE FUNCTION yb_hash_code(k int) RETURNS int LANGUAGE sql IMMUTABLE
      AS 'SELECT (hashint4(k) & 65535)'`);
    const sizes = await counts('dense', await plan('dense', ['id']));
    expect([sizes.length, total(sizes)]).toEqual([10, 10_000]);
  });
});

describe('snapshotFields', () => {
  it('prints the interchange form, odd values into _raw', async () => {
    await world.app.query(
      `SET timezone = 'UTC'; CREATE TABLE fields (id int PRIMARY KEY, n numeric, "o'dd" numeric(5,1) NOT NULL, d date, b bytea, a int[])`,
    );
    await world.app.query(`INSERT INTO fields VALUES (1, 1.5, 2, '2020-01-02', '\\x00ff', '{1,NULL}'),
      (2, 'NaN', 'NaN', 'infinity', NULL, '[2:3]={1,2}')`);
    const [found] = await introspectTables(world.app, 'shop', { tables: ['fields'] });
    const { rows } = await world.app.query({
      text: `SELECT ${snapshotFields(found!.schema)} FROM fields ORDER BY id`,
      rowMode: 'array',
      types: { getTypeParser: () => (text: string) => text } as unknown as pg.CustomTypesConfig,
    });
    expect(rows).toEqual([
      ['1', '1.5', '2.0', '2020-01-02', '00ff', '[1,null]', '{}'],
      [
        '2',
        null,
        '0',
        '2299-12-31',
        null,
        '[]',
        String.raw`{'n':'NaN','o\'dd':'NaN','d':'infinity','a':'[2:3]={1,2}'}`,
      ],
    ]);
  });

  it('passes hold every row once, odd ones in the second, unknown values not among them', async () => {
    await world.app.query(
      "CREATE TABLE passes (id int PRIMARY KEY, n numeric, d date, at timestamptz, a text[]); SET timezone = 'UTC'",
    );
    await world.app.query(`INSERT INTO passes VALUES (1, 1, '2020-01-02', '2020-01-02', '{a}'), (2, NULL, NULL, NULL, NULL),
      (3, 'NaN', NULL, NULL, NULL), (4, NULL, '0001-01-01', NULL, '{}'), (5, 5, NULL, 'infinity', NULL), (6, 6, NULL, NULL, '{{b}}')`);
    const [found] = await introspectTables(world.app, 'shop', { tables: ['passes'] });
    const { schema } = found!;
    const ids = async ({ fields, where }: { fields: string; where: string | null }): Promise<string[]> => {
      const { rows } = await world.app.query<string[]>({
        text: `SELECT ${fields} FROM passes WHERE ${where ?? 'true'} ORDER BY id`,
        rowMode: 'array',
        types: { getTypeParser: () => (text: string) => text } as unknown as pg.CustomTypesConfig,
      });
      return rows.map((row) => `${row.length}:${row[0]}`);
    };
    const [first, second, ...more] = snapshotPasses(schema, true);
    expect(await ids(first!)).toEqual(['5:1', '5:2']);
    expect(await ids(second!)).toEqual(['6:3', '6:4', '6:5', '6:6']);
    expect([first!.form, second!.form, more]).toEqual(['plain', 'with-raw', []]);
    const one = snapshotPasses(schema, false);
    expect([one.length, await ids(one[0]!)]).toEqual([1, ['6:1', '6:2', '6:3', '6:4', '6:5', '6:6']]);
    const onlyText = { columns: schema.columns.filter(({ type }) => type.kind === 'int4') };
    expect(snapshotPasses(onlyText, true)).toMatchObject([{ where: null, form: 'plain' }]);
  });
});
