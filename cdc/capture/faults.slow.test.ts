import pg from 'pg';
import { expect, test } from 'vitest';
import { startEmbeddedPostgres } from '#apps';
import { silentLogger } from '#kernel';
import { eventually } from '#tests/eventually';
import { seeded } from '#tests/random';
import { addSource, pauseSource, removeSource, resumeSource } from './sources.ts';
import { converges, streams, type World, world } from './testing.ts';

const add = (at: World, name = 'shop', database = 'shop'): Promise<void> =>
  addSource(at.pool, at.log, { name, kind: 'postgres', url: at.url(database) });

const stateOf = async (at: World, name = 'shop') =>
  (await at.pool.query('SELECT state, error, slot, epoch FROM bac.sources WHERE name = $1', [name])).rows[0];

/** Random transactions: inserts, updates, key changes, deletes, re-inserts, rollbacks, savepoints. */
async function work(
  client: pg.Client,
  random: ReturnType<typeof seeded>,
  transactions: number,
): Promise<void> {
  for (let count = 0; count < transactions; count += 1) {
    await client.query('BEGIN');
    const steps = 1 + random.below(6);
    for (let step = 0; step < steps; step += 1) {
      const id = random.below(60);
      const sql = random.pick([
        `INSERT INTO t VALUES (${id}, 'i${count}', repeat(md5('${count}'), 300)) ON CONFLICT (id) DO UPDATE SET a = 'conflict'`,
        `UPDATE t SET a = 'u${count}.${step}' WHERE id % 7 = ${id % 7}`,
        `DELETE FROM t WHERE id = ${id}`,
        `UPDATE t SET id = ${id + 1000 + count * 1000 + step * 100} WHERE id = ${id}`,
        `DELETE FROM t WHERE id > 1000 AND id % 3 = ${id % 3}`,
      ]);
      await client.query(`SAVEPOINT s; ${sql}`);
      if (random.chance(0.2)) await client.query('ROLLBACK TO s');
    }
    await client.query(random.chance(0.15) ? 'ROLLBACK' : 'COMMIT');
  }
}

test('connections cut and capture restarted at random under load lose and double nothing', async () => {
  const seed = Date.now() % 100_000;
  const random = seeded(seed);
  await using at = await world();
  const { app, pool } = at;
  await app.query('CREATE TABLE t (id int PRIMARY KEY, a text, big text)');
  await app.query('ALTER TABLE t ALTER big SET STORAGE EXTERNAL');
  let capture = at.capture({ partitions: 1 });
  await capture.start();
  await add(at);
  let going = true;
  const chaos = async (): Promise<void> => {
    while (going) {
      await new Promise((resolve) => setTimeout(resolve, random.below(300)));
      if (random.chance(0.3)) {
        await capture.stop();
        capture = at.capture({ partitions: 1 });
        await capture.start();
      } else {
        await pool.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'bac-capture%' OR backend_type = 'walsender'",
        );
      }
    }
  };
  const trouble = chaos();
  await work(app, random, 250);
  going = false;
  await trouble;
  await converges(at, app, 't', ['id']).catch((error: Error) => {
    throw new Error(`seed ${seed}: ${error.message}`);
  });
}, 180_000);

test('PostgreSQL killed with -9 comes back and capture goes on', async () => {
  await using at = await world();
  const { app, server } = at;
  await app.query('CREATE TABLE t (id int PRIMARY KEY, a text)');
  await at.capture().start();
  await add(at);
  await streams(at, 't');
  await app.query("INSERT INTO t SELECT i, 'before' FROM generate_series(1, 1000) i");
  process.kill(server.pid, 'SIGKILL');
  await server.exited;
  const again = await startEmbeddedPostgres({ dir: server.dir, port: server.port, log: silentLogger() });
  try {
    const client = new pg.Client({ connectionString: at.url('shop') });
    await client.connect();
    await client.query(
      "INSERT INTO t SELECT i, 'after' FROM generate_series(1001, 2000) i; DELETE FROM t WHERE id < 10",
    );
    await converges(at, client, 't', ['id']);
    await client.end();
    for (const capture of at.captures) await capture.stop();
  } finally {
    await again.stop();
  }
}, 120_000);

test('a second capture stands by and takes over', async () => {
  await using at = await world();
  const { app } = at;
  await app.query('CREATE TABLE t (id int PRIMARY KEY)');
  const first = at.capture({ instance: 'one', leaseMs: 1500 });
  const second = at.capture({ instance: 'two', leaseMs: 1500 });
  await first.start();
  await add(at);
  await streams(at, 't');
  await second.start();
  await eventually(async () => (second.stats().sources.shop?.state === 'standby' ? true : undefined), 20_000);
  expect(second.stats().sources.shop!.error).toMatchObject({ code: 'CAPTURE_FENCED' });
  await app.query('INSERT INTO t VALUES (1)');
  await converges(at, app, 't', ['id']);
  expect(second.stats().sources.shop!.rows).toBe(0);
  // Somebody takes the lease away: the reader notices, stops reading, and stands by.
  await at.pool.query("UPDATE bac.leases SET holder = 'two', token = token + 1");
  await eventually(async () => (first.stats().sources.shop?.state === 'standby' ? true : undefined), 20_000);
  await eventually(
    async () => (second.stats().sources.shop?.state === 'streaming' ? true : undefined),
    30_000,
  );
  await app.query('INSERT INTO t VALUES (2)');
  await converges(at, app, 't', ['id']);
}, 120_000);

test('a failing source does not touch another', async () => {
  await using at = await world();
  const { app, pool, log } = at;
  await pool.query('CREATE DATABASE other');
  await app.query('CREATE TABLE t (id int PRIMARY KEY)');
  await pool.query("CREATE ROLE weak LOGIN REPLICATION PASSWORD 'weak'");
  await at.capture().start();
  await add(at);
  const url = at.url('other').replace(/\/\/[^@]*@/, '//weak:weak@');
  await addSource(pool, log, { name: 'other', kind: 'postgres', url });
  await pool.query("ALTER ROLE weak PASSWORD 'changed'");
  await pool.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'weak' AND pid <> pg_backend_pid()",
  );
  await eventually(async () => ((await stateOf(at, 'other')).state === 'failed' ? true : undefined), 30_000);
  expect((await stateOf(at, 'other')).error).toMatchObject({ code: expect.stringMatching(/^SOURCE_/) });
  await app.query('INSERT INTO t VALUES (1)');
  await streams(at, 't');
  await converges(at, app, 't', ['id']);
}, 120_000);

test('a locked table does not stop the others', async () => {
  await using at = await world();
  const { app } = at;
  await app.query('CREATE TABLE locked (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY)');
  const capture = at.capture({ rescanMs: 300 });
  await capture.start();
  await add(at);
  await streams(at, 't');
  await streams(at, 'locked');
  const locker = new pg.Client({ connectionString: at.url('shop') });
  locker.on('error', () => undefined);
  await locker.connect();
  await locker.query('BEGIN; LOCK TABLE locked IN ACCESS EXCLUSIVE MODE; INSERT INTO locked VALUES (2)');
  await app.query(
    'CREATE TABLE fresh (id int PRIMARY KEY); INSERT INTO fresh VALUES (1); INSERT INTO t VALUES (2)',
  );
  await streams(at, 'fresh');
  await converges(at, app, 'fresh', ['id']);
  await converges(at, app, 't', ['id']);
  // A session that begins while the lock is held takes up the others as well.
  await capture.stop();
  await at.capture({ rescanMs: 300 }).start();
  await app.query('INSERT INTO t VALUES (3)');
  await converges(at, app, 't', ['id']);
  await locker.query('COMMIT');
  await converges(at, app, 'locked', ['id']);
  await locker.end();
}, 180_000);

test('a locked table begins after its lock, whichever table’s change has it published', async () => {
  await using at = await world();
  const { app } = at;
  await app.query('CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)');
  // The catalog is looked at where the stream has something new only.
  await at.capture({ rescanMs: 3_600_000 }).start();
  await add(at);
  await streams(at, 't');
  const locker = new pg.Client({ connectionString: at.url('shop') });
  await locker.connect();
  await app.query('CREATE TABLE locked (id int PRIMARY KEY); INSERT INTO t VALUES (2, 2)');
  // As while an index is made: nobody writes, and the table cannot be published.
  await locker.query('BEGIN; LOCK TABLE locked IN SHARE MODE');
  await app.query('CREATE TABLE second (id int PRIMARY KEY); INSERT INTO second VALUES (1)');
  await streams(at, 'second');
  const state = async () =>
    (await at.registry.table({ source: 'shop', schema: 'public', table: 'locked' }))?.state;
  expect(await state()).toBe('pending');
  await locker.query('COMMIT');
  await locker.end();
  await app.query('ALTER TABLE t ALTER a TYPE bigint; INSERT INTO t VALUES (3, 3)');
  await converges(at, app, 't', ['id']);
  await app.query('CREATE TABLE third (id int PRIMARY KEY); INSERT INTO third VALUES (1)');
  await streams(at, 'third');
  await streams(at, 'locked');
  await app.query('INSERT INTO locked VALUES (7)');
  await converges(at, app, 'locked', ['id']);
}, 120_000);

test('a table whose transaction is in the stream before it has ended begins when it has', async () => {
  // A commit waits for a standby that never comes, with all its locks: the stream has it already.
  await using at = await world({ synchronous_standby_names: 'nobody', synchronous_commit: 'local' });
  const { app } = at;
  await app.query('CREATE TABLE t (id int PRIMARY KEY)');
  // The catalog is looked at where the stream has something new only.
  await at.capture({ rescanMs: 3_600_000 }).start();
  await add(at);
  await streams(at, 't');
  const slow = new pg.Client({ connectionString: at.url('shop') });
  await slow.connect();
  await slow.query('SET synchronous_commit = on');
  await app.query('CREATE TABLE plain (id int PRIMARY KEY)');
  const committed = slow.query(
    'BEGIN; CREATE TABLE fresh (id int PRIMARY KEY); INSERT INTO fresh VALUES (1); INSERT INTO plain VALUES (1); COMMIT',
  );
  const yes = (sql: string): Promise<unknown> =>
    eventually(
      async () => ((await app.query(sql)).rowCount ? true : undefined),
      30_000,
      () => sql,
    );
  await yes("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
  const { rows } = await app.query('SELECT pg_current_wal_flush_lsn() AS lsn');
  await yes(`SELECT 1 FROM pg_replication_slots WHERE confirmed_flush_lsn >= '${rows[0].lsn}'`);
  const entry = (table: string) => at.registry.table({ source: 'shop', schema: 'public', table });
  expect(await entry('fresh')).toBeNull();
  expect(await entry('plain')).toMatchObject({ error: { code: 'TABLE_WAITING' } });
  await app.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
  await committed;
  await slow.end();
  for (const table of ['fresh', 'plain']) {
    await streams(at, table);
    await app.query(`INSERT INTO ${table} VALUES (2)`);
    await converges(at, app, table, ['id']);
  }
}, 120_000);

test('tables that change shape again and again while they begin lose no value', async () => {
  const random = seeded(Number(process.env.SEED ?? 7));
  await using at = await world();
  const { app } = at;
  await app.query(
    'CREATE TABLE t (id int PRIMARY KEY, a int, size int); INSERT INTO t SELECT g, g, g FROM generate_series(1, 50) g',
  );
  await at.capture({ rescanMs: 100 }).start();
  await add(at);
  await streams(at, 't');
  const steps = (n: number): string[] => [
    'ALTER TABLE t ALTER size TYPE bigint; ALTER TABLE t ALTER size TYPE int USING 0',
    `ALTER TABLE t ADD COLUMN x${n} int DEFAULT 5; UPDATE t SET x${n} = 7`,
    n < 2 ? 'SELECT 1' : `ALTER TABLE t DROP COLUMN x${n - 2}`,
    'UPDATE t SET size = size + 1 WHERE id % 3 = 0',
    `CREATE TABLE n${n} (id int PRIMARY KEY, a int)`,
    `INSERT INTO n${n} SELECT g, g FROM generate_series(1, 20) g; ALTER TABLE n${n} ADD COLUMN b int DEFAULT 5; UPDATE n${n} SET b = 7`,
  ];
  const made: string[] = [];
  for (let n = 0; n < 40; n += 1) {
    for (const sql of steps(n)) {
      if (sql.startsWith('CREATE')) made.push(`n${n}`);
      await app.query(sql);
      await new Promise((resolve) => setTimeout(resolve, random.below(25)));
    }
    if (n % 8 !== 7) continue;
    await converges(at, app, 't', ['id']);
    for (const table of made.splice(0)) await converges(at, app, table, ['id']);
  }
}, 300_000);

test('paused, resumed; a lost slot begins everything anew; removed', async () => {
  await using at = await world();
  const { app, pool, log, registry, target } = at;
  await app.query('CREATE TABLE t (id int PRIMARY KEY, a text)');
  await at.capture().start();
  await add(at);
  await streams(at, 't');
  await pauseSource(pool, log, 'shop');
  await eventually(async () => ((await stateOf(at)).state === 'paused' ? true : undefined), 20_000);
  await app.query("INSERT INTO t VALUES (1, 'while paused')");
  await resumeSource(pool, log, 'shop');
  await converges(at, app, 't', ['id']);
  await pauseSource(pool, log, 'shop');
  await eventually(async () => ((await stateOf(at)).state === 'paused' ? true : undefined), 20_000);
  const { slot } = await stateOf(at);
  await eventually(async () => {
    const dropped = await pool.query('SELECT pg_drop_replication_slot($1)', [slot]).catch(() => undefined); // its reader has not quite gone
    return dropped;
  }, 10_000);
  await app.query("DELETE FROM t; INSERT INTO t VALUES (2, 'not in any slot')");
  await resumeSource(pool, log, 'shop');
  await converges(at, app, 't', ['id']);
  const id = { source: 'shop', schema: 'public', table: 't' };
  expect(await registry.table(id)).toMatchObject({ generation: 2 });
  expect(await stateOf(at)).toMatchObject({ epoch: 2, slot });
  await removeSource(pool, log, 'shop');
  await eventually(async () => ((await stateOf(at)) === undefined ? true : undefined), 20_000);
  expect(target.dropped).toContain('public.t');
  expect(await registry.table(id)).toBeNull();
  expect((await pool.query('SELECT 1 FROM pg_replication_slots')).rowCount).toBe(0);
  expect((await app.query('SELECT 1 FROM pg_publication')).rowCount).toBe(0);
  expect(await log.topics('shop.')).toEqual([]);
}, 120_000);

test('what was not published while somebody had narrowed the publication is read anew', async () => {
  await using at = await world();
  const { app, pool, log, registry } = at;
  await app.query(`CREATE TABLE t (id int PRIMARY KEY, a text); CREATE TABLE u (id int PRIMARY KEY, a text);
    INSERT INTO t VALUES (1, 'old'), (2, 'old'); INSERT INTO u VALUES (1, 'old')`);
  await at.capture().start();
  await add(at);
  for (const table of ['t', 'u']) await streams(at, table);
  const narrowed = async (statement: string, changed: readonly string[]): Promise<void> => {
    await pauseSource(pool, log, 'shop');
    await eventually(async () => ((await stateOf(at)).state === 'paused' ? true : undefined), 20_000);
    await app.query(`ALTER PUBLICATION bac_shop ${statement}`);
    for (const table of changed) await app.query(`UPDATE ${table} SET a = a || '!' WHERE id = 1`);
    await resumeSource(pool, log, 'shop');
    for (const table of ['t', 'u']) await converges(at, app, table, ['id']);
  };
  const generations = async (): Promise<unknown[]> =>
    Promise.all(
      ['t', 'u'].map(
        async (table) => (await registry.table({ source: 'shop', schema: 'public', table }))?.generation,
      ),
    );
  await narrowed("SET (publish = 'insert')", ['t', 'u']);
  expect(await generations()).toEqual([2, 2]);
  await narrowed('SET TABLE t WHERE (id > 1), u', ['t', 'u']);
  expect(await generations()).toEqual([3, 2]);
}, 120_000);

test('wrong sources are refused with what to do', async () => {
  await using at = await world();
  const { pool, log, app } = at;
  await app.query('CREATE TABLE orders (id int PRIMARY KEY)');
  await log.ensureTopic('bac.control', { partitions: 1 });
  const good = { name: 'shop', kind: 'postgres', url: at.url('shop') } as const;
  const code = (change: object): Promise<unknown> =>
    addSource(pool, log, { ...good, ...change }).then(
      () => 'added',
      (error: { code: string; next?: string }) => [error.code, typeof error.next],
    );
  expect(await code({ name: 'Not Good' })).toEqual(['NAME_INVALID', 'string']);
  expect(await code({ url: 'mysql://x' })).toEqual(['SOURCE_URL_INVALID', 'string']);
  expect(await code({ url: 'postgresql://a:b@127.0.0.1:1/x' })).toEqual(['SOURCE_UNREACHABLE', 'string']);
  expect(await code({ url: good.url.replace(/:[^:@]*@/, ':wrong@') })).toEqual([
    'SOURCE_AUTH_FAILED',
    'string',
  ]);
  expect(await code({ url: at.url('nothing') })).toEqual(['SOURCE_DATABASE_MISSING', 'string']);
  expect(await code({ tables: ['order'] })).toEqual(['TABLE_NOT_FOUND', 'string']);
  expect(await code({})).toBe('added');
  expect(await code({})).toEqual(['SOURCE_EXISTS', 'string']);
  await expect(pauseSource(pool, log, 'shpo')).rejects.toMatchObject({ next: 'Did you mean "shop"?' });
});
