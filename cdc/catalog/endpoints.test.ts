import { connect, createServer, type Server, type Socket } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type TestPostgres, testPostgres } from '#tests/postgres';
import { connectSource, currentUrl, hostUrls, pooledClient, withPorts } from './endpoints.ts';
import { preflight, profileOf } from './index.ts';

let server: TestPostgres;
beforeAll(async () => {
  server = await testPostgres();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** One way to the server that can be closed. */
async function way(): Promise<{ port: number; close(): Promise<void> }> {
  const { port, hostname } = new URL(server.url);
  const sockets = new Set<Socket>();
  const relay: Server = createServer((socket) => {
    const behind = connect(Number(port), hostname);
    sockets.add(socket);
    socket.on('error', () => behind.destroy()).on('close', () => behind.destroy());
    behind.on('error', () => socket.destroy()).on('close', () => socket.destroy());
    socket.pipe(behind).pipe(socket);
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const address = relay.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    close: async () => {
      const closed = new Promise((resolve) => relay.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

const through = (ports: readonly number[]): string => {
  const { username, password, pathname } = new URL(server.url);
  return `postgresql://${username}:${password}@${ports.map((port) => `127.0.0.1:${port}`).join(',')}${pathname}`;
};

it.each([
  ['postgresql://u:p@a:1,b,[::1]:3/db?x=1', ['u:p@a:1/db?x=1', 'u:p@b/db?x=1', 'u:p@[::1]:3/db?x=1']],
  ['postgres://u:p%40,%2F@a/db', ['u:p%40,%2F@a/db']],
  ['postgresql://a,b', ['a', 'b']],
])('takes %s apart', (url, expected) => {
  expect(hostUrls(url)?.map((one) => one.replace(/^postgres(ql)?:\/\//, ''))).toEqual(expected);
});

it.each(['mysql://a/b', 'postgresql://a:x/b', 'postgresql://a,:1:2/b', 'nothing'])('refuses %s', (url) => {
  expect(hostUrls(url)).toBeNull();
});

it('writes the port of the kind out', () => {
  expect(withPorts('postgresql://u:p@a,b:1,[::1]/db', 'yugabytedb')).toBe(
    'postgresql://u:p@a:5433,b:1,[::1]:5433/db',
  );
  expect(withPorts('postgresql://u:p@a/db', 'postgres')).toBe('postgresql://u:p@a/db');
});

it('takes the limits that SQL cannot tell from the URL', () => {
  const given = profileOf('yugabytedb', 'postgresql://a/b?publication_refresh_s=120&retention_h=24');
  expect([given.publicationDelayMs, given.retentionMs]).toEqual([120_000, 86_400_000]);
  expect(profileOf('yugabytedb').retentionMs).toBe(8 * 3_600_000);
  expect(profileOf('postgres', 'postgresql://a/b?retention_h=24').retentionMs).toBeNull();
});

it('goes to the next host when one does not answer, and stays with the one that does', async () => {
  await using stack = new AsyncDisposableStack();
  const ways = [await way(), await way(), await way()];
  for (const one of ways) stack.defer(() => one.close().catch(() => undefined)); // some are closed already
  const url = through(ways.map(({ port }) => port));
  const ask = async (): Promise<unknown> => {
    const client = await connectSource(url, {});
    const { rows } = await client.query('SELECT 1 AS one');
    await client.end();
    return rows;
  };
  expect(await ask()).toEqual([{ one: 1 }]);
  await ways[0]!.close();
  await ways[1]!.close();
  expect(await ask()).toEqual([{ one: 1 }]);
  expect(currentUrl(url)).toContain(`:${ways[2]!.port}/`);
  const pool = new pg.Pool({ Client: pooledClient(url), max: 1 });
  pool.on('error', () => undefined); // the idle session's host goes away
  stack.defer(() => pool.end());
  expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await ways[2]!.close();
  await expect(connectSource(url, {})).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

it('tells of every host that did not answer, never of the password; a wrong password is tried once', async () => {
  const dead = 'postgresql://u:secret@127.0.0.1:1,127.0.0.1:2/db';
  await expect(preflight(dead, 'postgres')).rejects.toMatchObject({
    code: 'SOURCE_UNREACHABLE',
    message: expect.stringMatching(/127\.0\.0\.1:1, 127\.0\.0\.1:2(?!.*secret)/),
  });
  const ways = [await way(), await way()];
  const url = through(ways.map(({ port }) => port)).replace(/:[^:@]*@/, ':wrong@');
  await expect(preflight(url, 'postgres')).rejects.toMatchObject({ code: 'SOURCE_AUTH_FAILED' });
  expect(currentUrl(url)).toContain(`:${ways[0]!.port}/`);
  for (const one of ways) await one.close();
});
