import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyTables } from './index.ts';
import { type Pipeline, pipeline } from './testing.ts';

let world: Pipeline;

beforeAll(async () => {
  world = await pipeline();
  await world.app.query(`
    CREATE TYPE mood AS ENUM ('good', 'it''s bad');
    CREATE DOMAIN price AS numeric(10,2);
    CREATE TYPE pair AS (a int, b text);
    CREATE TABLE everything (
      id bigint PRIMARY KEY, flag bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, n2 numeric(12,3),
      wide numeric(90,2), p price NOT NULL, t text, v varchar(20), c char(8), b bytea, d date, ts timestamp, tz timestamptz,
      tm time, tmz timetz, iv interval, u uuid, j json, jb jsonb, e mood, r int4range, ip inet, pt point, bits bit(5), co pair);
    CREATE TABLE lists (id bigint PRIMARY KEY, ai int[], at text[], an numeric[], ats timestamptz[], ad date[], af float8[]);
    CREATE TABLE more_lists (id bigint PRIMARY KEY, ab bool[], ae mood[], ao pair[], aby bytea[], au uuid[], ac char(4)[]);
    CREATE TABLE json_lists (id bigint PRIMARY KEY, aj json[], ab jsonb[], rc regclass, ar regclass[]);
    CREATE TABLE wide_lists (id bigint PRIMARY KEY, ${WIDE.map((name) => `${name} text[]`).join(', ')});
    CREATE TABLE keyless (a int, b text, c float8[]);
    ALTER TABLE keyless REPLICA IDENTITY FULL;
    CREATE TABLE big (id int PRIMARY KEY, name text, amount numeric(12,2), at timestamptz);
    CREATE TABLE texts (k text, n int, v text, PRIMARY KEY (k, n))`);
  await world.app.query(ODD_ROWS);
  await world.app.query(`
    INSERT INTO wide_lists VALUES (0);
    INSERT INTO wide_lists (id, w0, w29) VALUES (1, '{a}', '{}');
    INSERT INTO keyless VALUES (1, 'x', '{1.5}'), (1, 'x', '{1.5}'), (NULL, NULL, '{2}');
    INSERT INTO keyless VALUES (7, 'gone', NULL), (7, 'gone', '{}'), (8, 'moves', NULL), (9, 'odd', '{{1}}');
    INSERT INTO texts SELECT 'kéy ' || i, i, repeat('v', i) FROM generate_series(1, 100) i;
    INSERT INTO big SELECT i, md5(i::text), i / 7.0, now() + i * interval '1 s' FROM generate_series(1, 100000) i;
    ANALYZE`);
  await world.sink();
  await world.capture();
  for (const table of [
    'everything',
    'lists',
    'more_lists',
    'json_lists',
    'wide_lists',
    'keyless',
    'big',
    'texts',
  ])
    await world.state(table, 'streaming');
}, 240_000);
afterAll(() => world[Symbol.asyncDispose]());

const WIDE = Array.from({ length: 30 }, (_, index) => `w${index}`);

const ODD_ROWS = String.raw`
INSERT INTO everything (id, p) VALUES (0, 0);
INSERT INTO everything VALUES
 (1, true, -32768, 2147483647, -9223372036854775808, 'NaN', '-Infinity', 'NaN', 'NaN', 'NaN', 'NaN', E'tab\tnl\nback\\slash\r\b\f\v''q"', '', 'pad', '\x00ff0a', 'infinity', '-infinity', 'infinity',
  '24:00', '12:00+05:30', '-1 year 2 mons 3.5 s', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a":  1}', '{"b": [1, null]}', 'it''s bad', '[1,5)', '10.0.0.0/8', '(1.5,2)', '10101', '(1,"x y")'),
 (2, false, 1, 2, 9007199254740993, 1.1, 1e-310, 1e40, 123456789.125, 1e80, 99.90, 'ünïcödé 🎉', 'v', 'x', '', '0044-03-15 BC', '1899-12-31 23:59:59.999999', '2300-01-01 00:00:00+00',
  '00:00:00.000001', '00:00:00-12', '0', NULL, 'null', 'null', 'good', 'empty', '::1', '(0,0)', '00000', '(,)'),
 (3, NULL, NULL, NULL, NULL, '-0', '-0', 0.00000000000000000000000000000000000001, 0.000, 1, 0, '\N', '\\N', '', 'abc', '1900-01-01', '1900-01-01', '2299-12-31 23:59:59.999999+00',
  NULL, NULL, '178000000 years', NULL, '[]', '{}', NULL, '(,)', NULL, NULL, NULL, NULL),
 (4, true, 0, 0, 0, 3.4028235e38, 1.7976931348623157e308, -99999999999999999999999999999999999999.99999999999999999999999999999999999999, -999999999.999, -1, -0.01, ' lead', 'trail ', 'trail  ', NULL, '2299-12-31', '2299-12-31 23:59:59.999999', '1900-01-01 00:00:00+00',
  '23:59:59.999999', '23:59:59.999999+14', '1 mon -1 day', NULL, '"\u00e9"', '"é"', 'good', NULL, NULL, NULL, NULL, NULL);
INSERT INTO lists VALUES
 (1, '{1,NULL,3}', E'{"a,b",NULL,"NULL","q\\"uote","back\\\\slash",""}', '{NaN,1.5}', '{infinity}', '{0044-03-15 BC}', '{NaN,Infinity,1e300}'),
 (2, '{{1,2},{3,4}}', '{}', '{}', '{"2020-01-01 12:34:56.789+02"}', '{2020-02-29}', '{}'),
 (3, '[0:1]={1,2}', '{{a},{b}}', '{1e-39}', NULL, NULL, NULL),
 (4, '{}', '{" ","tab\tin"}', '{0.10,2.50}', '{"1999-12-31 23:59:59.5+00",NULL}', '{1970-01-01,NULL}', '{1.5,NULL,-0}');
INSERT INTO json_lists VALUES
 (1, ARRAY['{"a":  1}', 'null', NULL, '[1, 2 ]', '"q\"\u00e9\ttab"']::json[], ARRAY['{"b": [1, null]}', 'null', NULL, '1.50']::jsonb[], 'public.texts', '{public.texts,pg_class}'),
 (2, '{}', '{}', 'pg_class', '{}'),
 (3, NULL, NULL, NULL, NULL);
INSERT INTO more_lists VALUES
 (1, '{t,f,NULL}', '{good,NULL}', ARRAY[ROW(1,'x')::pair, NULL], ARRAY['\xdead'::bytea, NULL], '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', '{ab,NULL}'),
 (2, '{}', '{}', '{}', '{}', '{}', '{}'),
 (3, NULL, NULL, NULL, NULL, NULL, NULL),
 (4, '{t}', '{good}', '{"(2,)"}', '{"\\\\x00"}', NULL, '{"a b"}');`;

const verify = (options: { table?: string; repair?: boolean; catchUpMs?: number } = {}) =>
  verifyTables({
    pool: world.pool,
    registry: world.registry,
    warehouse: world.warehouse,
    log: world.log,
    source: 'shop',
    repair: false,
    ...options,
  });

describe('verifyTables', () => {
  it('finds a snapshot of every type and odd value equal', async () => {
    const report = await verify();
    expect(report.tables.flatMap((table) => table.examples)).toEqual([]);
    expect(report.tables.map(({ table, state, reason }) => [table, state, reason])).toEqual([
      ['public.big', 'ok', undefined],
      ['public.everything', 'ok', undefined],
      ['public.json_lists', 'ok', undefined],
      ['public.keyless', 'ok', undefined],
      ['public.lists', 'ok', undefined],
      ['public.more_lists', 'ok', undefined],
      ['public.texts', 'ok', undefined],
      ['public.wide_lists', 'ok', undefined],
    ]);
    expect(report.ok).toBe(true);
    const keyless = report.tables.find(({ table }) => table === 'public.keyless');
    expect([keyless?.sourceRows, keyless?.warehouseRows]).toEqual([6, 6]);
  });

  it('finds streamed changes of every type and odd value equal', async () => {
    for (const table of ['everything', 'lists', 'more_lists', 'json_lists', 'wide_lists']) {
      await world.app.query(`UPDATE ${table} SET id = id + 100`);
    }
    await world.app.query(ODD_ROWS);
    await world.app.query("UPDATE texts SET v = v || '!' WHERE n % 2 = 0; DELETE FROM texts WHERE n % 5 = 0");
    await world.app.query("DELETE FROM keyless WHERE a IS NULL; INSERT INTO keyless VALUES (2, 'y', '{}')");
    await world.app.query('INSERT INTO wide_lists VALUES (0)');
    await world.app.query("DELETE FROM keyless WHERE b = 'odd' OR b = 'gone' AND c IS NULL");
    await world.app.query("UPDATE keyless SET c = '{8}' WHERE b = 'moves'");
    await world.app.query("INSERT INTO keyless VALUES (10, 'brief', NULL); DELETE FROM keyless WHERE a = 10");
    const report = await verify();
    expect(report.tables.flatMap((table) => table.examples)).toEqual([]);
    expect(report.ok).toBe(true);
  });

  it('finds and repairs a missing, an extra and a changed row among many', async () => {
    await world.warehouse.command('ALTER TABLE shop.big DELETE WHERE id = 77777 SETTINGS mutations_sync = 2');
    await world.warehouse.command(
      "INSERT INTO shop.big (id, name, _version, _deleted) SELECT 1000007, 'extra', max(_version), 0 FROM shop.big",
    );
    await world.warehouse.command(
      "INSERT INTO shop.big SELECT * REPLACE ('wrong' AS name, _version + 1 AS _version) FROM shop.big FINAL WHERE id = 5",
    );
    const found = await verify({ table: 'big' });
    expect(found.ok).toBe(false);
    const [big] = found.tables;
    expect(big).toMatchObject({ state: 'different', differences: 3, repaired: 0, changing: 0 });
    expect([...big!.examples].sort((a, b) => Number(a.key.id) - Number(b.key.id))).toMatchObject([
      { kind: 'different', key: { id: '5' }, columns: [{ column: 'name', warehouse: 'wrong' }] },
      { kind: 'missing-in-warehouse', key: { id: '77777' } },
      { kind: 'extra-in-warehouse', key: { id: '1000007' } },
    ]);
    const mended = await verify({ table: 'big', repair: true });
    expect(mended.tables[0]).toMatchObject({ state: 'repaired', differences: 3, repaired: 3 });
    expect((await verify({ table: 'big' })).tables[0]).toMatchObject({ state: 'ok', differences: 0 });
  });

  it('repairs rows of every type', async () => {
    const tables = ['everything', 'lists', 'more_lists', 'json_lists', 'wide_lists', 'texts', 'keyless'];
    await Promise.all(
      tables.map(async (table) => {
        await world.warehouse.command(`TRUNCATE TABLE shop.${table}`);
        expect((await verify({ table, repair: true })).tables[0]).toMatchObject({ state: 'repaired' });
      }),
    );
    expect((await verify()).ok).toBe(true);
  });

  it('sees no difference while rows are being written', async () => {
    const writing = (async () => {
      for (let round = 0; round < 150; round += 1) {
        await world.app.query(`UPDATE texts SET v = v || 'x' WHERE n = $1 % 100`, [round]);
        await world.app.query(
          `INSERT INTO texts SELECT 'new', $1, 'y' ON CONFLICT (k, n) DO UPDATE SET v = excluded.v`,
          [round % 10],
        );
        await world.app.query('DELETE FROM texts WHERE k = $1 AND n = $2', ['new', (round + 5) % 10]);
      }
    })();
    for (let round = 0; round < 3; round += 1) {
      const [texts] = (await verify({ table: 'texts' })).tables;
      expect(texts).toMatchObject({ state: 'ok', differences: 0 });
    }
    await writing;
    expect((await verify({ table: 'texts' })).ok).toBe(true);
  });
});
