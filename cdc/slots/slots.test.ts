import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestPostgres, testPostgres } from '#tests/postgres';
import { profileOf } from '../catalog/index.ts';
import { dropPublication, dropSlot, ensurePublication, ensureSlot, slotStatus } from './index.ts';

let server: TestPostgres;
let client: pg.Client;
const profile = profileOf('postgres');

const connect = async (user?: string): Promise<pg.Client> => {
  const connected = new pg.Client(
    user ? server.url.replace(/\/\/postgres:[^@]*@/, `//${user}:x@`) : server.url,
  );
  await connected.connect();
  return connected;
};

beforeAll(async () => {
  server = await testPostgres();
  client = await connect();
  await client.query(`CREATE TABLE a (id int PRIMARY KEY, x int); CREATE TABLE b (id int PRIMARY KEY);
    CREATE TABLE keyless (x int);
    CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY HASH (id);
    CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 1, REMAINDER 0)`);
});
afterAll(async () => {
  await client.end();
  await server[Symbol.asyncDispose]();
});

const published = async (name: string): Promise<string[]> => {
  const { rows } = await client.query<{ tablename: string }>(
    'SELECT tablename FROM pg_publication_tables WHERE pubname = $1 ORDER BY 1',
    [name],
  );
  return rows.map((row) => row.tablename);
};

describe('ensurePublication', () => {
  it('publishes changes of tables with a key, arrivals of all, and never breaks an UPDATE', async () => {
    const publication = await ensurePublication(client, 's', 'all', profile);
    expect(publication).toEqual({
      names: ['bac_s', 'bac_s_arrivals'],
      discovers: true,
      pending: [],
      mended: [],
    });
    expect(await published('bac_s')).toEqual(['a', 'b', 'parted']);
    expect(await published('bac_s_arrivals')).toEqual(['a', 'b', 'keyless', 'parted']);
    await client.query('INSERT INTO keyless VALUES (1); UPDATE keyless SET x = 2; DELETE FROM keyless');
    await client.query('CREATE TABLE keyless_later (x int); UPDATE keyless_later SET x = 2');
  });

  it('takes tables in and out as they come, go and change; idempotent', async () => {
    await client.query('CREATE TABLE c (id int PRIMARY KEY); ALTER TABLE b REPLICA IDENTITY NOTHING');
    await ensurePublication(client, 's', 'all', profile);
    await ensurePublication(client, 's', 'all', profile);
    expect(await published('bac_s')).toEqual(['a', 'c', 'parted']);
    await client.query('UPDATE b SET id = 2');
    await ensurePublication(client, 's', [{ schema: 'public', table: 'a' }], profile);
    expect(await published('bac_s')).toEqual(['a']);
  });

  it('leaves a locked table for later, the others go in', async () => {
    const locker = await connect();
    await locker.query('BEGIN; LOCK TABLE c IN SHARE UPDATE EXCLUSIVE MODE');
    const first = await ensurePublication(client, 's', 'all', profile);
    expect(first.pending).toMatchObject([{ schema: 'public', table: 'c' }]);
    expect(await published('bac_s')).toEqual(['a', 'parted']);
    await locker.query('COMMIT');
    await locker.end();
    expect((await ensurePublication(client, 's', 'all', profile)).pending).toEqual([]);
    expect(await published('bac_s')).toEqual(['a', 'c', 'parted']);
  });

  it('works for an owner who is no superuser, and tells another user what to run', async () => {
    await client.query(`CREATE ROLE owner LOGIN PASSWORD 'x'; GRANT CREATE ON DATABASE bac TO owner;
      CREATE SCHEMA own AUTHORIZATION owner; CREATE ROLE other LOGIN PASSWORD 'x';
      GRANT USAGE ON SCHEMA own TO other; ALTER DEFAULT PRIVILEGES FOR ROLE owner IN SCHEMA own GRANT SELECT ON TABLES TO other`);
    const owner = await connect('owner');
    await owner.query('CREATE TABLE own.t (id int PRIMARY KEY)');
    const table = [{ schema: 'own', table: 't' }];
    expect(await ensurePublication(owner, 'o', table, profile)).toMatchObject({ discovers: false });
    const other = await connect('other');
    await expect(ensurePublication(other, 'p', table, profile)).rejects.toMatchObject({
      code: 'SOURCE_PUBLICATION_RIGHT',
      disposition: 'user',
    });
    // One that fits already needs no right.
    expect(await ensurePublication(other, 'o', table, profile)).toMatchObject({ names: ['bac_o'] });
    // Also one of whole schemas, or of all tables; a partitioned table only where changes come as its own.
    const both = [...table, { schema: 'own', table: 'parts' }];
    await owner.query('CREATE TABLE own.parts (id int PRIMARY KEY) PARTITION BY HASH (id)');
    for (const [name, scope] of [
      ['schemas', 'FOR TABLES IN SCHEMA own'],
      ['all', 'FOR ALL TABLES'],
    ] as const) {
      await client.query(`CREATE PUBLICATION bac_${name} ${scope}`);
      expect((await ensurePublication(other, name, table, profile)).pending).toEqual([]);
      await expect(ensurePublication(other, name, both, profile)).rejects.toThrow();
      await client.query(`ALTER PUBLICATION bac_${name} SET (publish_via_partition_root = true)`);
      expect((await ensurePublication(other, name, both, profile)).pending).toEqual([]);
      // One that keeps changes to itself is none to rely on.
      await client.query(`ALTER PUBLICATION bac_${name} SET (publish = 'insert')`);
      await expect(ensurePublication(other, name, both, profile)).rejects.toMatchObject({
        code: 'SOURCE_PUBLICATION_RIGHT',
      });
      await client.query(`DROP PUBLICATION bac_${name}`);
    }
    // A list that somebody made with less than all changes, rows and columns: mended where that may be, else refused.
    await owner.query('CREATE TABLE own.wide (id int PRIMARY KEY, x int)');
    const three = [...both, { schema: 'own', table: 'wide' }];
    const lists = [
      ["own.t WITH (publish = 'insert, update, delete')", "publish = 'insert, update, delete, truncate'"],
      ['own.parts', 'publish_via_partition_root = true'],
      ['own.wide (id)', 'DROP TABLE ONLY "own"."wide"'],
      ['own.wide WHERE (id > 1)', 'ADD TABLE ONLY "own"."wide"'],
    ] as const;
    for (const [list, statement] of lists) {
      await owner.query(`CREATE PUBLICATION bac_part FOR TABLE ${list}`);
      await expect(ensurePublication(other, 'part', three, profile)).rejects.toMatchObject({
        code: 'SOURCE_PUBLICATION_RIGHT',
        next: expect.stringContaining(statement),
      });
      const mended = await ensurePublication(owner, 'part', three, profile);
      expect(mended).toMatchObject({ pending: [], mended: expect.arrayContaining([expect.anything()]) });
      const { rows } = await owner.query(
        `SELECT tablename, array_length(attnames, 1) AS columns, rowfilter, pubtruncate AND pubviaroot AS whole
         FROM pg_publication_tables JOIN pg_publication USING (pubname) WHERE pubname = 'bac_part' ORDER BY 1`,
      );
      const rowfilter = null;
      expect(rows).toEqual([
        { tablename: 'parts', columns: 1, rowfilter, whole: true },
        { tablename: 't', columns: 1, rowfilter, whole: true },
        { tablename: 'wide', columns: 2, rowfilter, whole: true },
      ]);
      expect(await ensurePublication(other, 'part', three, profile)).toMatchObject({
        pending: [],
        mended: [],
      });
      await owner.query('DROP PUBLICATION bac_part');
    }
    await owner.end();
    await other.end();
    await dropPublication(client, 'o');
    expect(await published('bac_o')).toEqual([]);
  });
});

describe('slots', () => {
  it('are made once, report their lag and are dropped once', async () => {
    const made = await ensureSlot(client, 'bac_s', profile);
    expect(made).toMatchObject({ name: 'bac_s', created: true });
    expect(await ensureSlot(client, 'bac_s', profile)).toEqual({ ...made, created: false });
    await client.query('INSERT INTO a SELECT i, i FROM generate_series(1, 1000) i');
    const status = await slotStatus(client, 'bac_s', profile);
    expect(status).toMatchObject({ exists: true, active: false, walStatus: 'reserved' });
    expect(status.lagBytes).toBeGreaterThan(50_000);
    expect(status.confirmedLsn).toBe(made.consistentPoint);
    await dropSlot(client, 'bac_s');
    await dropSlot(client, 'bac_s');
    expect(await slotStatus(client, 'bac_s', profile)).toMatchObject({ exists: false, confirmedLsn: null });
  });

  it('of another plugin or with lost changes are refused', async () => {
    await client.query("SELECT pg_create_logical_replication_slot('taken', 'test_decoding')");
    await expect(ensureSlot(client, 'taken', profile)).rejects.toMatchObject({ code: 'SLOT_TAKEN' });
    await dropSlot(client, 'taken');
    await ensureSlot(client, 'short', profile);
    await client.query('ALTER SYSTEM SET max_slot_wal_keep_size = 1');
    await client.query('SELECT pg_reload_conf()');
    for (let i = 0; i < 4; i += 1) {
      await client.query('INSERT INTO keyless SELECT generate_series(1, 10000)');
      await client.query('SELECT pg_switch_wal()');
    }
    await client.query('CHECKPOINT');
    await expect(ensureSlot(client, 'short', profile)).rejects.toMatchObject({ code: 'SLOT_LOST' });
    await dropSlot(client, 'short');
  });
});
