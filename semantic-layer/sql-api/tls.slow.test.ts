import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '#tests/eventually';
import { PASSWORD, type TestSqlApi, testSqlApi } from './testing/index.ts';

const run = promisify(execFile);
const present = async (program: string, ask = '--version'): Promise<boolean> =>
  run(program, [ask]).then(
    () => true,
    () => false,
  );
const has = { openssl: await present('openssl', 'version'), psql: await present('psql') };

describe.runIf(has.openssl)('over TLS', () => {
  let dir: string;
  let server: TestSqlApi;
  const file = (name: string): string => join(dir, name);
  const pair = async (name: string) => {
    await run('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'],
      ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
      ...['-keyout', file(`${name}.key`), '-out', file(`${name}.crt`)],
    ]);
    return {
      cert: readFileSync(file(`${name}.crt`), 'utf8'),
      key: readFileSync(file(`${name}.key`), 'utf8'),
    };
  };
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'bac-sql-tls-'));
    await pair('other');
    server = await testSqlApi({ tls: await pair('own'), rows: 30_000 });
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  });
  const trusting = (name: string) => ({ ssl: { ca: readFileSync(file(`${name}.crt`), 'utf8') } });

  test('large answers and prepared statements come whole, and the certificate is checked', async () => {
    await using client = await server.client(trusting('own'));
    const { rows } = await client.query({
      name: 'all',
      text: 'SELECT id FROM orders WHERE id <= $1',
      values: [25_000],
    });
    expect(rows).toHaveLength(25_000);
    await expect(server.client(trusting('other'))).rejects.toThrow(/certificate/);
  });

  test('a running statement is cancelled from a connection of its own', async () => {
    await using client = await server.client(trusting('own'));
    const slow = client.query(
      'SELECT count(*) FROM (SELECT id FROM orders WHERE id < 60000) a, (SELECT id FROM orders WHERE id < 60000) b WHERE a.id % 7 = b.id % 11',
    );
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    let outcome: string | undefined;
    slow.then(
      () => (outcome = 'answered'),
      (error: { code?: string }) => (outcome = error.code),
    );
    const message = Buffer.alloc(16);
    for (const [at, value] of [16, 80877102, processID, secretKey].entries())
      message.writeInt32BE(value, at * 4);
    // It may not have begun yet: told again until it has ended.
    await eventually(async () => {
      const socket = connect(server.api.port, '127.0.0.1');
      await new Promise<void>((resolve) => socket.once('close', () => resolve()).end(message));
      return outcome;
    }, 30_000);
    expect(outcome).toBe('57014');
  });

  test('what is sent in the clear before the handshake is not taken for what was encrypted', async () => {
    const socket = connect(server.api.port, '127.0.0.1');
    const request = Buffer.alloc(8);
    request.writeInt32BE(8, 0);
    request.writeInt32BE(80877103, 4);
    const received: Buffer[] = [];
    socket.on('data', (chunk) => received.push(chunk));
    await new Promise<void>((resolve) => {
      socket.once('close', resolve);
      socket.on('error', () => undefined);
      socket.write(Buffer.concat([request, Buffer.from('smuggled')]));
    });
    expect(Buffer.concat(received).length).toBe(0);
  });

  test.runIf(has.psql)('psql connects with verify-full, and not with another authority', async () => {
    const psql = (authority: string) =>
      run(
        'psql',
        [
          '-X',
          '-c',
          '\\conninfo',
          '-tAc',
          'SELECT count(*) FROM orders',
          `host=127.0.0.1 port=${server.api.port} user=ann dbname=bac sslmode=verify-full sslrootcert=${file(authority)}`,
        ],
        { env: { ...process.env, PGPASSWORD: PASSWORD } },
      );
    expect((await psql('own.crt')).stdout).toMatch(/TLS|SSL/);
    await expect(psql('other.crt')).rejects.toThrow(/certificate verify failed/);
  });
});
