import { expect, test, vi } from 'vitest';
import { CONTROL_TOPIC, type ControlMessage } from '#kernel';
import { eventually } from '#tests/eventually';
import { addSource, pauseSource, resumeSource } from './sources.ts';
import { converges, eventsOf, streams, type World, world } from './testing.ts';

const add = (at: World, tables?: string[]): Promise<void> =>
  addSource(at.pool, at.log, { name: 'shop', kind: 'postgres', url: at.url('shop'), tables });

test('snapshot and every kind of change arrive', async () => {
  await using at = await world();
  const { app, log } = at;
  await app.query('CREATE TABLE item (id int PRIMARY KEY, name text, price numeric, big text, live boolean)');
  await app.query(
    "INSERT INTO item SELECT i, 'item ' || i, i / 7.0, NULL, i % 2 = 0 FROM generate_series(1, 5000) i",
  );
  await at.capture().start();
  await add(at);
  await converges(at, app, 'item', ['id']);
  await app.query(
    "INSERT INTO item VALUES (6000, 'new \"q\" \\ \n tab\t ünï', 1.50, repeat('x', 100), true)",
  );
  await app.query('UPDATE item SET price = price + 1 WHERE id < 100');
  await app.query('DELETE FROM item WHERE id BETWEEN 50 AND 60');
  await app.query('UPDATE item SET id = 7000 WHERE id = 70');
  await converges(at, app, 'item', ['id']);
  const events = await eventsOf(log, 'shop', 'item');
  expect(new Set(events.map(({ value }) => value.op))).toEqual(new Set(['c', 'u', 'd']));
  await app.query('TRUNCATE item');
  await app.query("INSERT INTO item VALUES (1, 'after truncate')");
  await converges(at, app, 'item', ['id']);
});

test.each([
  ['all tables', undefined],
  ['one of them', ['item']],
])(
  'a user without rights streams %s from a publication of all that somebody else has made',
  async (_, tables) => {
    await using at = await world();
    const { app } = at;
    await app.query(`CREATE TABLE item (id int PRIMARY KEY, name text); CREATE TABLE other (id int PRIMARY KEY);
    CREATE TABLE keyless (x int); INSERT INTO item VALUES (1, 'before');
    CREATE PUBLICATION bac_shop FOR ALL TABLES WITH (publish_via_partition_root = true);
    CREATE ROLE reader LOGIN REPLICATION PASSWORD 'x'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO reader`);
    await at.capture().start();
    const url = at.url('shop').replace(/\/\/[^@]*@/, '//reader:x@');
    await addSource(at.pool, at.log, { name: 'shop', kind: 'postgres', url, tables });
    await streams(at, 'item');
    await app.query(`INSERT INTO other VALUES (1); INSERT INTO keyless VALUES (1); INSERT INTO item VALUES (2, 'after');
    UPDATE item SET name = 'changed' WHERE id = 1; CREATE TABLE later (id int PRIMARY KEY, name text)`);
    await app.query("INSERT INTO later VALUES (1, 'a')");
    await converges(at, app, 'item', ['id']);
    if (tables) expect(await at.log.topics('shop.public.other')).toEqual([]);
    else for (const name of ['other', 'later']) await converges(at, app, name, ['id']);
    await app.query("UPDATE later SET name = 'b'; DELETE FROM item WHERE id = 2");
    await converges(at, app, 'item', ['id']);
    if (!tables) await converges(at, app, 'later', ['id']);
  },
);

test('what a source is at is told when it changes, not by the clock', async () => {
  await using at = await world();
  await at.app.query('CREATE TABLE item (id int PRIMARY KEY)');
  vi.useFakeTimers({ toFake: ['setInterval'] });
  try {
    const capture = at.capture();
    await capture.start();
    await add(at);
    const told = async (wanted: string) => {
      const { rows } = await at.pool.query<{ state: string }>('SELECT state FROM bac.sources');
      return rows[0]?.state === wanted ? true : undefined;
    };
    for (const wanted of ['streaming', 'paused', 'streaming']) {
      if (wanted === 'paused') await pauseSource(at.pool, at.log, 'shop');
      else if (await told('paused')) await resumeSource(at.pool, at.log, 'shop');
      await eventually(
        () => told(wanted),
        30_000,
        () => `not ${wanted}`,
      );
    }
  } finally {
    vi.useRealTimers();
  }
});

test('unchanged out-of-line values, large values, key changes and rolled back work', async () => {
  await using at = await world();
  const { app } = at;
  await app.query('CREATE TABLE doc (id int PRIMARY KEY, title text, body text)');
  await app.query('ALTER TABLE doc ALTER body SET STORAGE EXTERNAL');
  await at.capture().start();
  await add(at);
  await streams(at, 'doc');
  await app.query("INSERT INTO doc SELECT i, 'doc', repeat(md5(i::text), 200) FROM generate_series(1, 20) i");
  await converges(at, app, 'doc', ['id']);
  await app.query("UPDATE doc SET title = 'changed'");
  await app.query('UPDATE doc SET id = 100 WHERE id = 1');
  await app.query("INSERT INTO doc VALUES (200, 'large', repeat('\"\\', 4000000))");
  await app.query('ALTER TABLE doc REPLICA IDENTITY FULL');
  await app.query("UPDATE doc SET title = 'whole' WHERE id < 10");
  await app.query('BEGIN');
  await app.query("UPDATE doc SET title = 'kept' WHERE id = 5");
  await app.query('SAVEPOINT a');
  await app.query('DELETE FROM doc');
  await app.query('ROLLBACK TO a');
  await app.query('SAVEPOINT b');
  await app.query("UPDATE doc SET title = 'also kept' WHERE id = 6");
  await app.query('RELEASE b');
  await app.query('COMMIT');
  await app.query('BEGIN');
  await app.query('DELETE FROM doc');
  await app.query('ROLLBACK');
  await converges(at, app, 'doc', ['id']);
});

test('tables without a key: refused with the reason, or captured whole', async () => {
  await using at = await world();
  const { app, registry } = at;
  await app.query(
    'CREATE TABLE loose (a int, b text); CREATE TABLE whole (a int, b text); CREATE TABLE ok (id int PRIMARY KEY)',
  );
  await app.query('ALTER TABLE whole REPLICA IDENTITY FULL');
  await app.query(
    "INSERT INTO loose VALUES (1, 'x'); INSERT INTO whole VALUES (1, 'x'), (2, NULL); INSERT INTO ok VALUES (1)",
  );
  await at.capture().start();
  await add(at);
  await converges(at, app, 'ok', ['id']);
  await app.query(
    "UPDATE loose SET b = 'y'; UPDATE whole SET b = 'y' WHERE a = 2; INSERT INTO ok VALUES (2)",
  );
  await converges(at, app, 'ok', ['id']);
  await converges(at, app, 'whole', ['a', 'b']);
  expect(await registry.table({ source: 'shop', schema: 'public', table: 'loose' })).toMatchObject({
    state: 'unsupported',
    error: { code: 'TABLE_WITHOUT_KEY' },
  });
});

test('a transaction of 200,000 rows passes in bounded memory', async () => {
  await using at = await world();
  const { app, log } = at;
  await app.query('CREATE TABLE mass (id int PRIMARY KEY, filler text)');
  const capture = at.capture();
  await capture.start();
  await add(at);
  await streams(at, 'mass');
  const used = (): number => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = used();
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, used() - before);
  }, 5);
  await app.query("INSERT INTO mass SELECT i, repeat('f', 250) FROM generate_series(1, 200000) i");
  await eventually(
    async () =>
      (capture.stats().sources.shop?.transactions ?? 0) > 0 && capture.stats().sources.shop!.rows >= 200_000
        ? true
        : undefined,
    60_000,
    () => JSON.stringify(capture.stats()),
  );
  clearInterval(watch);
  expect(most).toBeLessThan(150 * 1024 * 1024);
  const end = async (): Promise<number> =>
    (await log.topics('shop.public.mass'))[0]!.extents.reduce((sum, extent) => sum + extent.end, 0);
  await eventually(async () => ((await end()) >= 200_000 ? true : undefined), 30_000);
  expect(await end()).toBe(200_000);
}, 120_000);

test('watermarks follow commits, and the clock when idle', async () => {
  await using at = await world();
  const { app, log } = at;
  await app.query('CREATE TABLE t (id int PRIMARY KEY)');
  const messages: Extract<ControlMessage, { type: 'watermark' }>[] = [];
  await log.ensureTopic(CONTROL_TOPIC, { partitions: 1 });
  const consumer = log.consume({
    group: null,
    topics: [CONTROL_TOPIC],
    from: 'start',
    async onBatch({ records }) {
      for (const { value } of records) {
        const message = JSON.parse(value!.toString()) as ControlMessage;
        if (message.type === 'watermark') messages.push(message);
      }
    },
  });
  await at.capture({ partitions: 1 }).start();
  await add(at);
  await streams(at, 't');
  const { rows } = await app.query<{ us: string }>(
    'WITH i AS (INSERT INTO t VALUES (1)) SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint::text AS us',
  );
  const wrote = Number(rows[0]!.us);
  const first = await eventually(
    async () => messages.find(({ committedAt }) => committedAt >= wrote),
    10_000,
  );
  expect(messages.some(({ ends }) => ends['shop.public.t']?.[0] === 1)).toBe(true);
  await eventually(
    async () => (messages.at(-1)!.committedAt > first.committedAt + 1_500_000 ? true : undefined),
    10_000,
  );
  for (let i = 1; i < messages.length; i += 1) {
    expect(messages[i]!.committedAt).toBeGreaterThanOrEqual(messages[i - 1]!.committedAt);
  }
  await consumer.stop();
});
