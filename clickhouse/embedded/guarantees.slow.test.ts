import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { expect, test } from 'vitest';
import { createWarehouse, startEmbeddedClickHouse } from '#clickhouse';
import { silentLogger } from '#kernel';
import { type TestClickHouse, testClickHouse } from '#tests/clickhouse';

/** What the engine's process promises beside the protocol. */

const ENDLESS = 'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)';
const running = async ({ warehouse }: TestClickHouse): Promise<number> =>
  (
    await warehouse.query(
      "SELECT 1 FROM system.processes WHERE query LIKE '%sipHash64%' AND query NOT LIKE '%processes%'",
    )
  ).length;

test('slow queries never block quick ones, nor inserts', async () => {
  await using engine = await testClickHouse({ sessions: 4 });
  const { warehouse } = engine;
  await warehouse.command('CREATE TABLE t (n UInt64) ENGINE = Memory');
  const abort = new AbortController();
  const slow = Array.from({ length: 4 }, () =>
    warehouse
      .query(ENDLESS, { signal: abort.signal, settings: { max_threads: 1 } })
      .catch((error: Error) => error.message),
  );
  await expect.poll(() => running(engine)).toBe(4);
  const quick = Array.from({ length: 100 }, (_, index) => warehouse.query(`SELECT ${index} AS n`));
  const inserts = Array.from({ length: 20 }, () =>
    warehouse.insert('INSERT INTO t (n)', 'TabSeparated', Buffer.from('1\n')),
  );
  expect(await Promise.all(quick)).toEqual(Array.from({ length: 100 }, (_, n) => [{ n }]));
  await Promise.all(inserts);
  expect(await running(engine)).toBe(4);
  abort.abort(new Error('enough'));
  expect(await Promise.all(slow)).toEqual(['enough', 'enough', 'enough', 'enough']);
  await expect.poll(() => running(engine), { timeout: 10_000 }).toBe(0);
});

test('a client that goes away ends its query; KILL QUERY ends it by the id its client gave', async () => {
  await using engine = await testClickHouse();
  const auth = `${engine.user}:${engine.password}`;
  const gone = request(`${engine.url}/?query=${encodeURIComponent(ENDLESS)}`, { auth }).on('error', () => {});
  gone.end();
  await expect.poll(() => running(engine)).toBe(1);
  gone.destroy();
  await expect.poll(() => running(engine), { timeout: 10_000 }).toBe(0);
  const killed = expect(engine.warehouse.query(ENDLESS, { queryId: 'to be killed' })).rejects.toMatchObject({
    code: 'WAREHOUSE_QUERY_WAS_CANCELLED',
  });
  await expect.poll(() => running(engine)).toBe(1);
  await expect(engine.warehouse.query('SELECT 1', { queryId: 'to be killed' })).rejects.toMatchObject({
    code: 'WAREHOUSE_QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING',
  });
  await engine.warehouse.command("KILL QUERY WHERE query_id = 'to be killed' SYNC");
  await killed;
  await expect.poll(() => running(engine), { timeout: 10_000 }).toBe(0);
});

test('inserts that break off beside other statements leave none behind, and their tables can be dropped', async () => {
  await using engine = await testClickHouse({ sessions: 6 });
  const { warehouse } = engine;
  const row = Buffer.from(`1\t${'x'.repeat(1000)}\n`);
  const block = Buffer.concat(Array.from({ length: 64 }, () => row));
  // More than is spooled: the engine reads while it comes.
  async function* breaksOff(after: number): AsyncGenerator<Buffer> {
    for (let count = 0; count < 20 + after; count += 1) yield block;
    throw new Error('the source is gone');
  }
  let others = true;
  const other = async (): Promise<void> => {
    while (others) await warehouse.query('SELECT count() AS n FROM numbers(1000)');
  };
  const busy = Array.from({ length: 4 }, other);
  for (let round = 0; round < 60; round += 1) {
    await warehouse.command('CREATE TABLE t (id Int64, v String) ENGINE = MergeTree ORDER BY id');
    const inserts = Array.from({ length: 3 }, (_, index) =>
      warehouse.insert(
        "INSERT INTO t (id, v) SELECT c0, c1 FROM input('c0 Int64, c1 String')",
        'TabSeparated',
        Readable.from(breaksOff((round * 3 + index) % 17), { objectMode: false }),
      ),
    );
    for (const { status } of await Promise.allSettled(inserts)) expect(status).toBe('rejected');
    await warehouse.command('DROP TABLE t SYNC', { signal: AbortSignal.timeout(20_000) });
  }
  others = false;
  await Promise.all(busy);
  // One that was broken off just now may still be ending.
  const left = "SELECT query FROM system.processes WHERE query LIKE 'INSERT%'";
  await expect.poll(() => warehouse.query(left), { timeout: 20_000 }).toEqual([]);
}, 180_000);

test('a result of any size takes little memory', async () => {
  await using engine = await testClickHouse();
  const before = await residentMiB(engine.pid);
  const stream = await engine.warehouse.stream(
    'SELECT number, toString(number) FROM numbers(10000000)',
    'TabSeparated',
  );
  let bytes = 0;
  let most = 0;
  let chunks = 0;
  for await (const chunk of stream) {
    bytes += (chunk as Buffer).length;
    chunks += 1;
    if (chunks % 200 === 0) most = Math.max(most, await residentMiB(engine.pid));
  }
  expect(bytes).toBe(157_777_780);
  expect(most - before).toBeLessThan(400);
});

test('accounts: wrong ones are refused, the read-only one can neither write, change settings nor kill', async () => {
  await using engine = await testClickHouse();
  await engine.warehouse.command('CREATE TABLE t (n UInt64) ENGINE = Memory');
  const as = (username: string, password: string) =>
    createClient({ url: engine.url, username, password, log: { level: ClickHouseLogLevel.OFF } });
  for (const [user, password] of [
    ['bac', 'wrong'],
    ['nobody', 'test-password'],
    ['bac', ''],
    ['', ''],
  ] as const) {
    await expect(as(user, password).query({ query: 'SELECT 1' })).rejects.toMatchObject({ code: '516' });
  }
  expect((await fetch(`${engine.url}/?query=SELECT%201`)).status).toBe(401);
  const url = `${engine.url}/?query=SELECT%201`;
  expect((await fetch(`${url}&user=bac&password=test-password`)).status).toBe(200);
  expect(
    (await fetch(url, { headers: { 'x-clickhouse-user': 'bac', 'x-clickhouse-key': 'test-password' } }))
      .status,
  ).toBe(200);
  const reader = as(engine.readonlyUser, engine.readonlyPassword);
  expect(
    await (await reader.query({ query: 'SELECT count() AS n FROM t', format: 'JSONEachRow' })).json(),
  ).toEqual([{ n: 0 }]);
  for (const query of [
    'INSERT INTO t VALUES (1)',
    'INSERT INTO t SELECT 1',
    'CREATE TABLE u (n UInt64) ENGINE = Memory',
    'CREATE TEMPORARY TABLE u (n UInt64)',
    'DROP TABLE t',
    'TRUNCATE TABLE t',
    'SET max_threads = 1',
    'SYSTEM FLUSH LOGS',
    "SELECT * FROM file('/etc/hostname', 'LineAsString')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
    'KILL QUERY WHERE 1',
    "SELECT 1 INTO OUTFILE '/tmp/x'",
    "BACKUP TABLE t TO File('x')",
    'SELECT 1 SETTINGS readonly = 0',
  ]) {
    await expect(reader.command({ query }), query).rejects.toMatchObject({
      code: expect.stringMatching(/^(164|497|48)$/),
    });
  }
  await expect(
    reader.query({ query: 'SELECT 1', clickhouse_settings: { max_threads: 1 } }),
  ).rejects.toMatchObject({ code: '164' });
  await expect(
    reader.query({ query: 'SELECT 1', clickhouse_settings: { readonly: '0' } }),
  ).resolves.toBeDefined();
  await expect(
    reader.command({ query: 'INSERT INTO t SELECT 1', clickhouse_settings: { readonly: '0' } }),
  ).rejects.toMatchObject({ code: '164' });
  await expect(
    reader.insert({ table: 't', values: [{ n: 1 }], format: 'JSONEachRow' }),
  ).rejects.toMatchObject({ code: '164' });
  expect(await engine.warehouse.query('SELECT count() AS n FROM t')).toEqual([{ n: '0' }]);
});

test('every row acknowledged before kill -9 is there after it', async () => {
  await using engine = await testClickHouse();
  const { url, user, password } = engine;
  await engine.warehouse.command('CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n');
  const acknowledged: number[] = [];
  const writer = async (offset: number): Promise<void> => {
    const warehouse = createWarehouse({ url, user, password, log: silentLogger() });
    for (let round = 0; round < 60; round += 1) {
      const n = offset + round;
      await warehouse.insert('INSERT INTO t (n)', 'TabSeparated', Buffer.from(`${n}\n`));
      acknowledged.push(n);
    }
    await warehouse.close();
  };
  const writers = [0, 1000, 2000, 3000].map(writer);
  for (const enough of [30, 90, 150]) {
    await expect.poll(() => acknowledged.length, { interval: 5, timeout: 30_000 }).toBeGreaterThan(enough);
    await engine.kill9();
    await engine.restart();
  }
  await Promise.all(writers);
  const rows = await engine.warehouse.query<{ n: string }>('SELECT DISTINCT n FROM t ORDER BY n');
  expect(rows.map(({ n }) => Number(n))).toEqual(acknowledged.sort((a, b) => a - b));
  expect(acknowledged.length).toBe(240);
});

test('a taken port, a folder in use, and a broken start are told plainly', async () => {
  await using engine = await testClickHouse();
  const options = { user: 'a', password: 'b', sessions: 2, log: silentLogger() };
  const other = mkdtempSync(join(tmpdir(), 'bac-test-ch-'));
  await expect(startEmbeddedClickHouse({ ...options, dir: other, port: engine.port })).rejects.toMatchObject({
    code: 'PORT_TAKEN',
    disposition: 'user',
  });
  await expect(startEmbeddedClickHouse({ ...options, dir: engine.dir, port: 0 })).rejects.toMatchObject({
    code: 'CLICKHOUSE_FOLDER_IN_USE',
  });
  rmSync(other, { recursive: true, force: true });
});

test('stopping lets a running insert finish and the engine start again', async () => {
  await using engine = await testClickHouse();
  await engine.warehouse.command('CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n');
  const insert = engine.warehouse.command(
    'INSERT INTO t SELECT number + sleepEachRow(0.01) FROM numbers(100)',
    {
      queryId: 'slow insert',
    },
  );
  await expect
    .poll(
      async () =>
        (await engine.warehouse.query("SELECT 1 FROM system.processes WHERE query LIKE 'INSERT INTO t%'"))
          .length,
    )
    .toBe(1);
  await engine.restart();
  await insert;
  expect(await engine.warehouse.query('SELECT count() AS n FROM t')).toEqual([{ n: '100' }]);
});

test('the engine does not outlive the process that started it', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'bac-test-ch-'));
  const parent = spawn(
    process.execPath,
    [fileURLToPath(new URL('./fixtures/parent.ts', import.meta.url)), dir],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  expect(isAlive(pid)).toBe(true);
  parent.kill('SIGKILL');
  await expect.poll(() => isAlive(pid), { timeout: 20_000 }).toBe(false);
  rmSync(dir, { recursive: true, force: true });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function residentMiB(pid: number): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'VmRSS: 0 kB');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}
