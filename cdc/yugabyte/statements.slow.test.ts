import { expect, test } from 'vitest';
import { eventually } from '#tests/eventually';
import { pauseSource, removeSource, resnapshotSource, resumeSource } from '../capture/index.ts';
import { verifyTables } from '../verify/index.ts';
import { CAPTURE_RULES, SCHEMA_RULES, violations } from './testing/rules.ts';
import { type World, world } from './testing/world.ts';

const entryOf = ({ registry }: World, table: string) =>
  registry.table({ source: 'shop', schema: 'public', table });

const sourceState = async ({ pool }: World): Promise<string | undefined> =>
  (await pool.query<{ state: string }>('SELECT state FROM bac.sources')).rows[0]?.state;

test('each rule catches what it is about', () => {
  for (const rule of [...CAPTURE_RULES, ...SCHEMA_RULES]) {
    expect(violations(rule.example, [rule]), rule.id).toEqual([rule]);
    expect(rule.source).toMatch(/^https:\/\/(docs\.yugabyte\.com|github\.com\/yugabyte)\//);
  }
  for (const list of [CAPTURE_RULES, SCHEMA_RULES]) {
    expect(new Set(list.map(({ id }) => id)).size).toBe(list.length);
  }
});

test('no statement of a source’s whole life is one that YugabyteDB does not support; TRUNCATE, which leaves no record, is found and mended', async () => {
  await using at = await world();
  const state: string[] = [];
  const query = at.pool.query.bind(at.pool) as (...args: unknown[]) => unknown;
  at.pool.query = ((...args: unknown[]) => {
    if (typeof args[0] === 'string') state.push(args[0]);
    return query(...args);
  }) as typeof at.pool.query;

  await at.ddl(`CREATE TABLE big (id int PRIMARY KEY, v text, at timestamptz, n numeric, tags int[]);
    CREATE TABLE small (a text, b int, v float8, PRIMARY KEY (a, b));
    CREATE TABLE keyless (v int)`);
  await at.app.query(`INSERT INTO big SELECT i, 'v' || i, now(), i / 3.0, ARRAY[i] FROM generate_series(1, 3500) i;
    INSERT INTO small SELECT 's' || i, i, i / 7.0 FROM generate_series(1, 300) i; ANALYZE big`);
  await at.capture();
  await at.add();
  await at.equal('big', 'small');
  expect(await entryOf(at, 'keyless')).toMatchObject({
    state: 'unsupported',
    error: { code: 'TABLE_WITHOUT_KEY' },
  });

  await at.app.query(
    "UPDATE big SET v = NULL WHERE id < 40; DELETE FROM small WHERE b < 9; INSERT INTO small VALUES ('new', 1, 'NaN')",
  );
  await at.ddl("ALTER TABLE big ADD extra text DEFAULT 'x'");
  await at.app.query("UPDATE big SET extra = 'y' WHERE id = 5; UPDATE small SET a = 'moved' WHERE b = 20");
  await at.ddl('ALTER TABLE small RENAME v TO w');
  await at.app.query('UPDATE small SET w = 1 WHERE b = 30');
  await at.equal('big', 'small');

  await resnapshotSource(at.pool, at.log, 'shop', ['big']);
  await eventually(async () => ((await entryOf(at, 'big'))?.generation === 2 ? true : undefined), 20_000);
  await at.equal('big');

  await pauseSource(at.pool, at.log, 'shop');
  await eventually(async () => ((await sourceState(at)) === 'paused' ? true : undefined), 10_000);
  await at.app.query('TRUNCATE small; INSERT INTO small SELECT $$t$$, i, i FROM generate_series(1, 50) i');
  await resumeSource(at.pool, at.log, 'shop');
  await eventually(async () => {
    const [row] = await at.warehouse.query<{ n: string }>(
      "SELECT count() AS n FROM shop.small FINAL WHERE _deleted = 0 AND a = 't'",
    );
    return Number(row!.n) === 50 ? true : undefined;
  }, 20_000);
  const options = { ...at, source: 'shop', repair: true, catchUpMs: 20_000 };
  expect(await verifyTables({ ...options, repair: false, table: 'small' })).toMatchObject({
    ok: false,
    tables: [{ state: 'different', differences: 293 }],
  });
  expect(await verifyTables(options)).toMatchObject({ ok: true });
  await at.equal('small', 'big');
  // The repair hides no later change.
  await at.app.query("INSERT INTO small VALUES ('s100', 100, 7); UPDATE small SET w = 9 WHERE b = 10");
  await at.equal('small');

  await removeSource(at.pool, at.log, 'shop');
  await eventually(async () => ((await sourceState(at)) === undefined ? true : undefined), 20_000);
  expect((await at.app.query("SELECT 1 FROM pg_publication WHERE pubname <> 'standin_all'")).rowCount).toBe(
    0,
  );
  expect(at.standIn.slots.size).toBe(0);

  const broken = at.standIn.statements.flatMap(({ sql }) =>
    violations(sql, CAPTURE_RULES).map((rule) => `${rule.id}: ${sql}`),
  );
  expect(broken).toEqual([]);
  const hub = state.flatMap((sql) => violations(sql, SCHEMA_RULES).map((rule) => `${rule.id}: ${sql}`));
  expect(hub).toEqual([]);
  // Everything was there to be looked at.
  const said = at.standIn.statements.map(({ connection, sql }) => `${connection}: ${sql}`);
  for (const expected of [
    /^replication: START_REPLICATION SLOT "bac_shop" LOGICAL 0\/0 /,
    /pg_create_logical_replication_slot\('bac_shop', 'yboutput'\)/,
    /pg_drop_replication_slot/,
    /CREATE PUBLICATION "bac_shop"\s*$/,
    /ALTER PUBLICATION "bac_shop" ADD TABLE ONLY "public"."big"/,
    /DROP PUBLICATION/,
    /SET LOCAL yb_read_time TO '\d{19} ht'/,
    /COPY \(SELECT .* WHERE yb_hash_code\("id"\) >= 0 AND/,
    /md5\(.*FROM ONLY "public"."small"/s,
  ]) {
    expect(
      said.some((sql) => expected.test(sql)),
      String(expected),
    ).toBe(true);
  }
  expect(state.length).toBeGreaterThan(50);
}, 90_000);
