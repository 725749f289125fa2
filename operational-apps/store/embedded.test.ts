import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { migrateState, silentLogger } from '#kernel';
import { testPostgres } from '#tests/postgres';
import { startEmbeddedPostgres } from './embedded.ts';

test('starts with logical decoding, takes the hub state, survives kill -9', async () => {
  await using server = await testPostgres();
  const pool = new pg.Pool({ connectionString: server.url });
  pool.on('error', () => {});
  await Promise.all([migrateState(pool), migrateState(pool)]);
  await migrateState(pool);
  expect((await pool.query('SHOW wal_level')).rows[0].wal_level).toBe('logical');
  await pool.query("INSERT INTO bac.sources (name, kind, url) VALUES ('a', 'postgres', 'x')");
  await pool.end();
  process.kill(server.pid, 'SIGKILL');
  await server.exited;
  const again = await startEmbeddedPostgres({ dir: server.dir, port: 0, log: silentLogger() });
  const client = new pg.Client({ connectionString: again.url });
  await client.connect();
  expect((await client.query('SELECT name FROM bac.sources')).rows).toEqual([{ name: 'a' }]);
  await client.end();
  await again.stop();
});

test('a taken port and a folder in use are told plainly', async () => {
  await using server = await testPostgres();
  await expect(
    startEmbeddedPostgres({ dir: join(server.dir, 'x'), port: server.port, log: silentLogger() }),
  ).rejects.toMatchObject({ code: 'PORT_TAKEN' });
  await expect(
    startEmbeddedPostgres({ dir: server.dir, port: 0, log: silentLogger() }),
  ).rejects.toMatchObject({
    code: 'POSTGRES_START_FAILED',
  });
  expect(readFileSync(join(server.dir, 'password'), 'utf8').length).toBeGreaterThan(20);
});

test('a state folder below a private home works, also as root', async () => {
  const home = mkdtempSync(join(tmpdir(), 'bac-private-'));
  const start = () =>
    startEmbeddedPostgres({
      dir: join(home, 'state'),
      port: 0,
      log: silentLogger(),
      settings: { fsync: 'off' },
    });
  const server = await start();
  await server.stop();
  const again = await start();
  await again.stop();
  const data = realpathSync(join(home, 'state', 'cluster'));
  rmSync(data, { recursive: true, force: true });
  rmSync(home, { recursive: true, force: true });
});
