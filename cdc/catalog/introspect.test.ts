import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasNorthwind, loadNorthwind } from '#tests/northwind';
import { type TestPostgres, testPostgres } from '#tests/postgres';
import { type CatalogTable, introspectTables, preflight } from './index.ts';

let server: TestPostgres;
let client: pg.Client;
let tables: Map<string, CatalogTable>;

beforeAll(async () => {
  server = await testPostgres();
  client = new pg.Client(server.url);
  await client.connect();
  await client.query(`
    CREATE DOMAIN email AS varchar(80);
    CREATE DOMAIN price AS numeric(10,2);
    CREATE TYPE mood AS ENUM ('a', 'b');
    CREATE TYPE pair AS (a int, b int);
    CREATE TABLE plain (id int PRIMARY KEY, t text NOT NULL, gone int, code char(4), n numeric, n2 numeric(5,-2), e email,
      p price, ps price[], m mood, ms mood[], c pair, r int4range, j json, b bytea, i interval, tz timetz,
      doubled int GENERATED ALWAYS AS (id * 2) STORED, virtual int GENERATED ALWAYS AS (id * 3) VIRTUAL);
    COMMENT ON TABLE plain IS 'a table';
    COMMENT ON COLUMN plain.t IS 'a text';
    INSERT INTO plain (id, t) VALUES (1, 'x');
    ALTER TABLE plain DROP gone;
    ALTER TABLE plain ADD added text NOT NULL DEFAULT 'it''s, {"new"}';
    ALTER TABLE plain ADD moment timestamptz DEFAULT '2020-01-02 03:04:05.6+00';
    ALTER TABLE plain ADD list int[] DEFAULT '{1,NULL}';
    CREATE TABLE composite (b int, a text, PRIMARY KEY (a, b));
    CREATE TABLE keyless (x int);
    CREATE TABLE keyless_full (x int, y text);
    ALTER TABLE keyless_full REPLICA IDENTITY FULL;
    CREATE TABLE by_index (id int PRIMARY KEY, code text NOT NULL UNIQUE);
    ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_code_key;
    CREATE TABLE nothing (id int PRIMARY KEY);
    ALTER TABLE nothing REPLICA IDENTITY NOTHING;
    CREATE TABLE late (id int PRIMARY KEY DEFERRABLE);
    CREATE TABLE late_full (id int PRIMARY KEY DEFERRABLE, x int);
    ALTER TABLE late_full REPLICA IDENTITY FULL;
    CREATE UNLOGGED TABLE volatile (id int PRIMARY KEY);
    CREATE TABLE parted (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
    CREATE TABLE parted_2 PARTITION OF parted DEFAULT;
    INSERT INTO parted SELECT i, '2020-01-01'::date + i % 700 FROM generate_series(1, 5000) i;
    CREATE VIEW seen AS SELECT * FROM plain;
    CREATE MATERIALIZED VIEW kept AS SELECT * FROM plain;
    CREATE TEMP TABLE passing (id int PRIMARY KEY);
    CREATE SCHEMA other; CREATE TABLE other."We""ird.name" ("a b" int PRIMARY KEY);
    CREATE SCHEMA bac; CREATE TABLE bac.sources (name text PRIMARY KEY);
    ANALYZE`);
  tables = new Map(
    (await introspectTables(client, 's')).map((table) => [
      `${table.schema.schema}.${table.schema.table}`,
      table,
    ]),
  );
});
afterAll(async () => {
  await client.end();
  await server[Symbol.asyncDispose]();
});

const columnsOf = (table: string) =>
  new Map(tables.get(table)!.schema.columns.map((column) => [column.name, column]));

describe('introspectTables', () => {
  it('lists ordinary and partitioned tables only, partitions not apart', () => {
    expect([...tables.keys()]).toEqual([
      'other.We"ird.name',
      'public.by_index',
      'public.composite',
      'public.keyless',
      'public.keyless_full',
      'public.late',
      'public.late_full',
      'public.nothing',
      'public.parted',
      'public.plain',
      'public.volatile',
    ]);
    expect(tables.get('public.parted')).toMatchObject({ partitioned: true, estimatedRows: 5000 });
  });

  it('resolves types, domains to their base', () => {
    const types = [...columnsOf('public.plain').values()].map(({ name, type }) => [name, type]);
    expect(Object.fromEntries(types)).toMatchObject({
      code: { kind: 'text', sourceType: 'character(4)' },
      n: { kind: 'numeric', sourceType: 'numeric' },
      n2: { kind: 'numeric', precision: 5, scale: -2 },
      e: { kind: 'text', sourceType: 'public.email' },
      p: { kind: 'numeric', precision: 10, scale: 2 },
      ps: { kind: 'array', element: { kind: 'numeric', precision: 10, scale: 2 } },
      m: { kind: 'enum' },
      ms: { kind: 'array', element: { kind: 'enum' } },
      c: { kind: 'other', sourceType: 'public.pair' },
      r: { kind: 'other', sourceType: 'int4range' },
      j: { kind: 'json' },
      b: { kind: 'bytes' },
      i: { kind: 'interval' },
      tz: { kind: 'timetz' },
    });
  });

  it('knows attribute numbers, comments, nullability and the values older rows have', () => {
    const columns = columnsOf('public.plain');
    expect(columns.get('t')).toMatchObject({ attnum: 2, nullable: false, comment: 'a text', fill: null });
    expect(columns.get('added')).toMatchObject({ attnum: 20, nullable: false, fill: 'it\'s, {"new"}' });
    expect(columns.get('moment')!.fill).toBe('2020-01-02 03:04:05.6+00');
    expect(columns.get('list')!.fill).toBe('{1,NULL}');
    expect(tables.get('public.plain')!.schema.comment).toBe('a table');
    expect(tables.get('public.plain')!.schema.origin?.lastAttnum).toBe(22);
  });

  it('takes stored generated columns, which this server publishes, and leaves virtual ones', () => {
    expect(columnsOf('public.plain').has('doubled')).toBe(true);
    expect(columnsOf('public.plain').has('virtual')).toBe(false);
  });

  it.each([
    ['public.plain', 'primary-key', ['id'], null],
    ['public.composite', 'primary-key', ['a', 'b'], null],
    ['public.keyless', 'none', [], 'TABLE_WITHOUT_KEY'],
    ['public.keyless_full', 'whole-row', ['x', 'y'], null],
    ['public.by_index', 'replica-index', ['code'], null],
    ['public.nothing', 'none', [], 'TABLE_IDENTITY_NOTHING'],
    ['public.late', 'none', [], 'TABLE_WITHOUT_KEY'],
    ['public.late_full', 'whole-row', ['id', 'x'], null],
    ['public.volatile', 'primary-key', ['id'], 'TABLE_UNLOGGED'],
    ['public.parted', 'primary-key', ['id', 'at'], null],
  ])('%s is recognised by %s', (name, keyRule, key, reason) => {
    const table = tables.get(name)!;
    expect([table.schema.keyRule, table.schema.key, table.reason?.code ?? null]).toEqual([
      keyRule,
      key,
      reason,
    ]);
  });

  it('says why a table cannot be read', async () => {
    await client.query(`CREATE ROLE reader LOGIN PASSWORD 'x'; GRANT SELECT ON composite TO reader;
      GRANT SELECT ON plain TO reader; ALTER TABLE plain ENABLE ROW LEVEL SECURITY`);
    const reader = new pg.Client(server.url.replace(/\/\/postgres:[^@]*@/, '//reader:x@'));
    await reader.connect();
    const found = await introspectTables(reader, 's', { tables: ['composite', 'plain', 'by_index'] });
    expect(found.map(({ schema, reason }) => [schema.table, reason?.code])).toEqual([
      ['by_index', 'TABLE_NOT_READABLE'],
      ['composite', undefined],
      ['plain', 'TABLE_ROW_SECURITY'],
    ]);
    await reader.end();
  });

  it('filters, and names the nearest table for a slip', async () => {
    const names = async (...filter: string[]) =>
      (await introspectTables(client, 's', { tables: filter })).map(({ schema }) => schema.table);
    expect(await names('plain', 'other.*')).toEqual(['We"ird.name', 'plain']);
    await expect(names('plian')).rejects.toMatchObject({
      code: 'TABLE_NOT_FOUND',
      disposition: 'user',
      next: 'Did you mean "public.plain"?',
    });
    await expect(names('seen')).rejects.toThrow('a view');
    await expect(names('parted_1')).rejects.toThrow('a partition');
  });

  it.skipIf(!hasNorthwind())('reads all of Northwind', async () => {
    const northwind = new pg.Client(await loadNorthwind(server.url));
    await northwind.connect();
    const found = await introspectTables(northwind, 'northwind');
    expect(found).toHaveLength(14);
    expect(found.map(({ reason }) => reason).filter(Boolean)).toEqual([]);
    await northwind.end();
  });
});

describe('preflight', () => {
  const at = (change: (url: URL) => void): string => {
    const url = new URL(server.url);
    change(url);
    return url.href;
  };

  it('passes a server that is fit', async () => {
    expect(await preflight(server.url, 'postgres')).toMatchObject({ database: 'bac', user: 'postgres' });
  });

  it.each([
    ['SOURCE_URL_INVALID', () => 'mysql://x'],
    ['SOURCE_UNREACHABLE', () => at((url) => Object.assign(url, { port: '1' }))],
    ['SOURCE_AUTH_FAILED', () => at((url) => Object.assign(url, { password: 'wrong' }))],
    ['SOURCE_DATABASE_MISSING', () => at((url) => Object.assign(url, { pathname: '/nowhere' }))],
  ])('says %s and the next step', async (code, url) => {
    await expect(preflight(url(), 'postgres')).rejects.toMatchObject({
      code,
      disposition: 'user',
      next: expect.stringMatching(/./),
    });
  });

  it('says that the user may not replicate, and that the kind is wrong', async () => {
    await client.query("CREATE ROLE plain_user LOGIN PASSWORD 'x'");
    const url = server.url.replace(/\/\/postgres:[^@]*@/, '//plain_user:x@');
    await expect(preflight(url, 'postgres')).rejects.toMatchObject({ code: 'SOURCE_NO_REPLICATION_RIGHT' });
    await expect(preflight(server.url, 'yugabytedb')).rejects.toMatchObject({ code: 'SOURCE_KIND_WRONG' });
  });

  it('says that wal_level is not logical', async () => {
    await using other = await testPostgres({ wal_level: 'replica' });
    await expect(preflight(other.url, 'postgres')).rejects.toMatchObject({ code: 'SOURCE_WAL_LEVEL' });
  });
});
