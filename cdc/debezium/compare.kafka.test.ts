import { afterAll, beforeAll, expect, test } from 'vitest';
import { SESSION_SETTINGS } from '../catalog/index.ts';
import { type World, world } from './testing.ts';

let w: World;
beforeAll(async () => {
  w = await world({ partitions: 2 });
  await w.app.query(`CREATE EXTENSION hstore; CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s');
    CREATE DOMAIN positive AS int4 CHECK (VALUE > 0)`);
  for (const setting of SESSION_SETTINGS) await w.app.query(setting);
  await w.app.query('SET search_path = public');
});
afterAll(() => w?.[Symbol.asyncDispose]());

/** Type and values that both engines carry exactly. What Debezium cannot carry is listed in docs/debezium.md. */
const VALUES: readonly (readonly [string, readonly string[]])[] = [
  ['bool', ['true', 'false']],
  ['int2', ['-32768', '32767']],
  ['int4', ['-2147483648', '2147483647']],
  ['int8', ['-9223372036854775808', '9223372036854775807', '9007199254740993']],
  ['float4', ["'NaN'", '1.1', "'-Infinity'", '3.4e38', '1e-45', "'-0'"]],
  [
    'float8',
    ["'NaN'", '0.1', "'Infinity'", '1.7976931348623157e308', '5e-324', '123456789012345680', "'-0'"],
  ],
  ['numeric(12,2)', ["'NaN'", '12.30', '-9999999999.99']],
  ['numeric(4,4)', ['0.1234', '-0.0001']],
  ['numeric(76,0)', [`${'9'.repeat(76)}`, '-1']],
  ['numeric(100,2)', ["'NaN'", '123.45', `${'8'.repeat(98)}.01`]],
  ['numeric(3,-2)', ['1200', '-500']],
  [
    'numeric',
    [
      "'NaN'",
      "'Infinity'",
      "'-Infinity'",
      '12345678901234567890.123456789',
      '1.50',
      '1e-38',
      `${'7'.repeat(60)}`,
    ],
  ],
  ['text', [`'a"\\b'`, "''", "'tab\tline\nend'", "'zażółć 😀'", "'null'", '\'{"a":1}\'']],
  ['varchar(5)', ["'abc'"]],
  ['char(5)', ["'ab'"]],
  ['"char"', ["'x'"]],
  ['name', ["'n'"]],
  ['bytea', ["'\\xdeadbeef'", "''", "'\\x00ff'"]],
  [
    'date',
    [
      "'2024-02-29'",
      "'infinity'",
      "'-infinity'",
      "'0044-03-15 BC'",
      "'12345-01-01'",
      "'1899-12-31'",
      "'1900-01-01'",
      "'2299-12-31'",
      "'2300-01-01'",
    ],
  ],
  [
    'timestamp',
    [
      "'2024-02-29 12:00:00.123456'",
      "'infinity'",
      "'-infinity'",
      "'0044-03-15 12:00 BC'",
      "'1899-12-31 23:59:59.999999'",
      "'1970-01-01'",
      "'1969-12-31 23:59:59.5'",
      "'12345-01-01'",
    ],
  ],
  ['timestamp(3)', ["'2024-02-29 12:00:00.123'", "'infinity'", "'-infinity'"]],
  ['timestamp(0)', ["'2024-02-29 12:00:00'"]],
  [
    'timestamptz',
    [
      "'2024-02-29 12:00:00.123456+02'",
      "'infinity'",
      "'-infinity'",
      "'0044-03-15 12:00+00 BC'",
      "'12345-01-01 00:00+00'",
      "'1899-12-31 23:59:59.999999+00'",
    ],
  ],
  ['timestamptz(3)', ["'2024-02-29 12:00:00.12+02'"]],
  ['time', ["'23:59:59.999999'", "'24:00:00'", "'00:00:00'"]],
  ['time(3)', ["'10:00:00.123'"]],
  ['timetz', ["'10:00:00.5+00'"]],
  [
    'interval',
    [
      "'1 year 2 mons -3 days 4:05:06.7'",
      "'0'",
      "'-1 year 2 days -00:00:01.5'",
      "'100 hours'",
      "'1 mon -1 sec'",
    ],
  ],
  ['uuid', ["'00112233-4455-6677-8899-aabbccddeeff'"]],
  ['json', ['\'{"a":  1, "a": 2}\'', "'null'"]],
  ['jsonb', ['\'{"a": 1.50}\'', "'[]'"]],
  ['mood', ["'it''s'", "'ok'"]],
  ['positive', ['7']],
  ['int4range', ["'[1,5)'", "'empty'"]],
  ['numrange', ["'[1.5,)'"]],
  ['tsrange', ["'[2024-01-01,2024-01-02)'"]],
  ['daterange', ["'[2024-01-01,)'"]],
  ['int4multirange', ["'{[1,5),[7,9)}'"]],
  ['inet', ["'10.0.0.1/8'", "'::1'"]],
  ['cidr', ["'10.0.0.0/8'"]],
  ['macaddr', ["'08:00:2b:01:02:03'"]],
  ['macaddr8', ["'08:00:2b:01:02:03:04:05'"]],
  ['bit(1)', ["'1'", "'0'"]],
  ['bit(5)', ["'10110'", "'00000'"]],
  ['bit(12)', ["'101100001111'"]],
  ['varbit', ["'101'", "'1010000011'"]],
  ['point', ["'(1.5,-2)'", "'(1e20,1e-7)'"]],
  ['box', ["'(1,2.5),(3,4)'"]],
  ['line', ["'{1,2,3}'"]],
  ['lseg', ["'[(1,2),(3,4)]'"]],
  ['path', ["'((1,2),(3,4))'", "'[(1,2),(3,4)]'"]],
  ['polygon', ["'((1,2),(3,4),(5,6))'"]],
  ['circle', ["'<(1,2),3>'"]],
  ['tsvector', ["'a:1 b:2'"]],
  ['tsquery', ["'a & b'"]],
  ['xml', ["'<a>x</a>'"]],
  ['oid', ['4294967295']],
  ['pg_lsn', ["'16/B374D848'"]],
  ['jsonpath', ["'$.a'"]],
  ['hstore', [`'a=>1, "b c"=>NULL, d=>"q\\"x"'`, "''"]],
  ['int8[]', ["'{1,NULL,9223372036854775807}'", "'{}'"]],
  ['int2[]', ["'{1,-5}'"]],
  ['text[]', [`'{a,NULL,"b c","","q\\"\\\\"}'`]],
  ['bool[]', ["'{t,NULL,f}'"]],
  ['numeric(30,10)[]', ["'{1.5,NULL,-2}'"]],
  ['numeric[]', ["'{1.50,NULL}'"]],
  ['timestamptz[]', ["'{2024-02-29 12:00:00.123456+02,NULL}'"]],
  ['timestamp[]', ["'{2024-02-29 12:00:00.123456}'"]],
  ['date[]', ["'{2024-02-29,NULL}'"]],
  ['time[]', ["'{10:00:00.5}'"]],
  ['bytea[]', [`'{"\\\\xdead",NULL}'`]],
  ['jsonb[]', [`'{"{\\"a\\": 1}",NULL}'`]],
  ['uuid[]', ["'{00112233-4455-6677-8899-aabbccddeeff}'"]],
  ['mood[]', ["'{sad,ok}'"]],
  ['float8[]', ["'{1.5,NaN,-Infinity}'"]],
  ['inet[]', ["'{10.0.0.1}'"]],
  ['int4range[]', [`'{"[1,5)"}'`]],
];

/** All of a table but its generation: hub columns, the LSN half of the version, tombstones included. */
async function contents(source: string, table: string): Promise<unknown[]> {
  const { warehouse } = w.clickhouse;
  const columns = await warehouse.query<{ name: string; type: string }>(
    "SELECT name, type FROM system.columns WHERE database = {source:String} AND table = {table:String} AND name NOT IN ('_version', '_committed_at') ORDER BY position",
    { params: { source, table } },
  );
  const shown = columns.map(({ name, type }) =>
    /^(Nullable\(|)Float/.test(type) ? `hex(\`${name}\`) AS \`${name}\`` : `\`${name}\``,
  );
  const rows = await warehouse.query<Record<string, unknown>>(
    `SELECT ${shown.join(', ')}, bitAnd(_version, ${2n ** 52n - 1n}) AS lsn,
       if(lsn = 0, NULL, _committed_at) AS committed_at FROM \`${source}\`.\`${table}\` FINAL
     WHERE _deleted = 0 ORDER BY ALL`,
  );
  return [columns, ...rows];
}

/** Differences by column, the first ones of each table. */
async function differences(
  tables: readonly string[],
  { without = [] }: { readonly without?: readonly string[] } = {},
): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const table of tables) {
    const [native, debezium] = [await contents('native', table), await contents('dbz', table)];
    if (native.length !== debezium.length) found.push([table, native.length, debezium.length]);
    for (const [index, row] of native.entries()) {
      const other = debezium[index] as Record<string, unknown> | undefined;
      for (const [name, value] of Object.entries(row as Record<string, unknown>)) {
        if (without.includes(name)) continue;
        const [a, b] = [JSON.stringify(value), JSON.stringify(other?.[name])];
        if (a !== b && found.length < 40)
          found.push([table, index, name, a?.slice(0, 120), b?.slice(0, 120)]);
      }
    }
  }
  return found;
}

test('one workload captured by both engines gives the same tables', async () => {
  const { app } = w;
  await app.query(
    `CREATE TABLE types (id serial PRIMARY KEY, ${VALUES.map(([type], i) => `c${i} ${type}`).join(', ')})`,
  );
  await app.query(`
    CREATE TABLE plain (id int PRIMARY KEY, a text, big text, n numeric(10,2) NOT NULL DEFAULT 1, m mood NOT NULL DEFAULT 'ok',
      u uuid NOT NULL DEFAULT gen_random_uuid(), gone text);
    ALTER TABLE plain ALTER big SET STORAGE EXTERNAL;
    CREATE TABLE whole (a int, b text); ALTER TABLE whole REPLICA IDENTITY FULL;
    CREATE TABLE via (a int, b int NOT NULL, c text); CREATE UNIQUE INDEX via_b ON via (b);
    ALTER TABLE via REPLICA IDENTITY USING INDEX via_b;
    CREATE TABLE pair (x int, y text, v text, PRIMARY KEY (y, x)); ALTER TABLE pair REPLICA IDENTITY FULL;
    CREATE TABLE emptied (id int PRIMARY KEY, v text);
    CREATE TABLE bulk (id int PRIMARY KEY, v text);
    CREATE TABLE toast (id int PRIMARY KEY, k int, t text, ta text[], ia int4[], la int8[], by bytea, ba bytea[],
      ua uuid[], j jsonb, hs hstore, da date[], tza timestamptz[], na numeric[], fa float8[], boa bool[], x xml);
    INSERT INTO plain (id, a, big) SELECT g, 'before', repeat('y', 3000) FROM generate_series(1, 50) g;
    INSERT INTO whole VALUES (0, 'before'); INSERT INTO pair VALUES (1, 'a', 'before');
    INSERT INTO emptied SELECT g, 'before' FROM generate_series(1, 20) g`);
  for (const column of [
    't',
    'ta',
    'ia',
    'la',
    'by',
    'ba',
    'ua',
    'j',
    'hs',
    'da',
    'tza',
    'na',
    'fa',
    'boa',
    'x',
  ])
    await app.query(`ALTER TABLE toast ALTER ${column} SET STORAGE EXTERNAL`);
  await w.capture();
  await w.add({ name: 'native' });
  await w.add({ name: 'dbz', engine: 'debezium' });
  for (const source of ['native', 'dbz'])
    for (const table of ['types', 'plain', 'whole', 'via', 'pair', 'emptied', 'bulk', 'toast'])
      await w.streams(source, table);

  // Every type and odd value, alone and changed to NULL and back.
  await app.query('INSERT INTO types DEFAULT VALUES');
  for (const [index, [, values]] of VALUES.entries()) {
    for (const value of values) await app.query(`INSERT INTO types (c${index}) VALUES (${value})`);
    await app.query(`UPDATE types SET c${index} = ${values[0]} WHERE id = 1`);
  }
  // Keys that change, with unchanged long values; deletes and the same keys again.
  await app.query(`UPDATE plain SET a = 'changed' WHERE id <= 10`);
  await app.query('UPDATE plain SET id = id + 1000 WHERE id BETWEEN 5 AND 8');
  await app.query(
    `BEGIN; UPDATE plain SET id = 2000 WHERE id = 20; UPDATE plain SET a = 'twice' WHERE id = 2000; COMMIT`,
  );
  await app.query(`DELETE FROM plain WHERE id = 30; INSERT INTO plain (id, a) VALUES (30, 'again')`);
  await app.query(
    `BEGIN; DELETE FROM plain WHERE id = 31; INSERT INTO plain (id, a) VALUES (31, 'same'); COMMIT`,
  );
  await app.query(
    `INSERT INTO whole VALUES (1,'a'),(1,'a'),(2,'b'),(3,NULL); UPDATE whole SET b = 'c' WHERE a = 2; DELETE FROM whole WHERE a = 1`,
  );
  await app.query(`INSERT INTO via VALUES (1,1,'a'),(2,2,'b')`);
  await app.query(
    `UPDATE via SET b = 3 WHERE b = 1; UPDATE via SET c = 'z' WHERE b = 3; DELETE FROM via WHERE b = 2`,
  );
  await app.query(
    `INSERT INTO pair VALUES (1,'b','v'); UPDATE pair SET x = 9 WHERE y = 'b'; UPDATE pair SET v = 'w' WHERE y = 'a'`,
  );
  await app.query(`INSERT INTO toast SELECT 1, 1, repeat('t',9000), array_agg('e'||g), array_agg(g), array_agg(g::bigint),
    decode(repeat('ab',9000),'hex'), array_agg(decode(repeat('ab',20),'hex')), array_agg(gen_random_uuid()), to_jsonb(array_agg(g)),
    hstore('a', repeat('x',9000)), array_agg(date '2024-01-01' + g), array_agg(timestamptz '2024-01-01 00:00+00'), array_agg(g::numeric),
    array_agg(g::float8), array_agg(true), ('<a>'||repeat('x',9000)||'</a>')::xml FROM generate_series(1,3000) g`);
  await app.query('UPDATE toast SET k = 2');
  await app.query(
    `INSERT INTO emptied VALUES (21, 'x'); TRUNCATE emptied; INSERT INTO emptied VALUES (1, 'after')`,
  );
  await app.query(`INSERT INTO bulk SELECT g, 'row ' || g FROM generate_series(1, 50000) g`);
  await app.query(
    `BEGIN; UPDATE bulk SET v = v || '!' WHERE id % 2 = 0; DELETE FROM bulk WHERE id % 5 = 0; COMMIT`,
  );
  for (const source of ['native', 'dbz']) await w.settled(source);
  const tables = ['types', 'plain', 'whole', 'via', 'pair', 'emptied', 'bulk', 'toast'];
  expect(await differences(tables)).toEqual([]);

  // Shapes: added with a default, renamed, dropped, retyped, and a table that is new.
  await app.query(`ALTER TABLE plain ADD COLUMN extra int DEFAULT 5`);
  await app.query(`INSERT INTO plain (id) VALUES (3000)`);
  await app.query(`UPDATE plain SET a = 'touched' WHERE id = 40`);
  await app.query(`ALTER TABLE plain RENAME a TO label`);
  await app.query(`UPDATE plain SET label = 'renamed' WHERE id = 41`);
  await app.query(`ALTER TABLE plain DROP COLUMN gone`);
  await app.query(`INSERT INTO plain (id, label) VALUES (3001, 'dropped'); DELETE FROM plain WHERE id = 42`);
  await app.query(`ALTER TABLE bulk ALTER id TYPE bigint; INSERT INTO bulk VALUES (5000000000, 'wide')`);
  await app.query(`ALTER TABLE emptied ALTER v TYPE int USING length(v); INSERT INTO emptied VALUES (2, 7)`);
  await app.query(`CREATE TABLE younger (id int PRIMARY KEY, v text); INSERT INTO younger VALUES (1, 'new')`);
  for (const source of ['native', 'dbz']) {
    await w.streams(source, 'younger');
    for (const table of ['bulk', 'emptied']) await w.streams(source, table);
  }
  await app.query(`INSERT INTO younger VALUES (2, 'later')`);
  for (const source of ['native', 'dbz']) await w.settled(source);
  const dead = await w.pool.query('SELECT topic, error_code, error FROM bac.dead_letters');
  expect(dead.rows).toEqual([]);
  // A table that one engine reads anew and the other does not has other versions, and the same values.
  const reshaped = ['plain', 'whole', 'emptied', 'bulk', 'younger'];
  expect(await differences(reshaped, { without: ['lsn', 'committed_at'] })).toEqual([]);
});
