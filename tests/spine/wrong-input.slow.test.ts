import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CommandResult, runBac, type TestHub, testHub } from '#tests/hub';
import { type TestPostgres, testPostgres } from '#tests/postgres';

/** One clear message with the next step, exit 1, no stack trace. */
function refused(result: CommandResult, says: RegExp): void {
  expect(result.code, result.stderr + result.stdout).toBe(1);
  expect(result.stderr).toMatch(says);
  expect(result.stderr.trim().split('\n').length, result.stderr).toBeGreaterThanOrEqual(2);
  expect(result.stderr + result.stdout).not.toMatch(/\n\s+at |node:internal|secret-word/);
}

describe('wrong input', () => {
  let hub: TestHub;
  let plain: TestPostgres;
  beforeAll(async () => {
    [hub, plain] = [await testHub(), await testPostgres({ wal_level: 'replica', max_wal_senders: '4' })];
  });
  afterAll(async () => {
    await hub[Symbol.asyncDispose]();
    await plain[Symbol.asyncDispose]();
  });
  const add = (name: string, url: string, ...rest: string[]): Promise<CommandResult> =>
    hub.bac('connect', 'add', name, '--url', url, ...rest);
  const withUser = (user: string, password: string): string =>
    hub.postgresUrl.replace(/\/\/[^@]*@/, `//${user}:${password}@`);

  test('not a URL', async () => refused(await add('a', 'not a url'), /url/i));
  test('nobody listens there', async () =>
    refused(await add('a', 'postgresql://x:secret-word@127.0.0.1:1/db'), /127\.0\.0\.1:1/));
  test('wrong password', async () =>
    refused(await add('a', withUser('postgres', 'secret-word')), /password|refused/i));
  test('no such database', async () =>
    refused(await add('a', hub.postgresUrl.replace(/\/bac$/, '/nowhere')), /nowhere/));
  test('wal_level is not logical', async () => refused(await add('a', plain.url), /wal_level/));
  test('a bad name', async () => refused(await add('Bad-Name', hub.postgresUrl), /lower-case/));
  test('no replication right', async () => {
    const client = new pg.Client({ connectionString: hub.postgresUrl });
    await client.connect();
    await client.query("CREATE ROLE plain LOGIN PASSWORD 'secret-word'");
    await client.end();
    refused(await add('a', withUser('plain', 'secret-word')), /replication/i);
  });
  test('table not found, with the nearest one', async () => {
    const client = new pg.Client({ connectionString: hub.postgresUrl });
    await client.connect();
    await client.query('CREATE TABLE invoices (id int PRIMARY KEY)');
    await client.end();
    refused(await add('a', hub.postgresUrl, '--tables', 'invoics'), /invoics[\s\S]*invoices/);
  });
  test('a source that is not there', async () =>
    refused(await hub.bac('connect', 'pause', 'nobody'), /nobody/));
  test('bad SQL', async () => refused(await hub.bac('sql', 'SELEC 1'), /Syntax error/));
  test('unknown command is a usage error', async () => expect((await hub.bac('stauts')).code).toBe(2));
  test('a second hub on the same folder', async () =>
    refused(await hub.bac('up', '--no-demo'), /already running/));
});

describe('wrong input before anything runs', () => {
  const cwd = mkdtempSync(join(tmpdir(), 'bac-wrong-'));
  afterAll(() => rmSync(cwd, { recursive: true }));

  test('unknown key in bac.yaml', async () => {
    writeFileSync(join(cwd, 'bac.yaml'), 'demo:\n  ordres: 5\n');
    refused(await runBac(['up'], {}, cwd), /bac\.yaml:2[\s\S]*orders/);
    rmSync(join(cwd, 'bac.yaml'));
  });
  test.each(['BAC_HTTP_PORT', 'BAC_SQL_PORT', 'BAC_POSTGRES_PORT', 'BAC_CLICKHOUSE_PORT'])(
    'a chosen port that is taken (%s)',
    async (variable) => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as { port: number };
      const free = {
        BAC_HTTP_PORT: '0',
        BAC_SQL_PORT: '0',
        BAC_POSTGRES_PORT: '0',
        BAC_CLICKHOUSE_PORT: '0',
      };
      const result = await runBac(['up', '--no-demo'], { ...free, [variable]: String(port) }, cwd);
      refused(result, new RegExp(`${port}[\\s\\S]*${variable}`));
      server.close();
    },
  );
  test('no hub is running', async () => refused(await runBac(['status'], {}, cwd), /bac up/));
});
