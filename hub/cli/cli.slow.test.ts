import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { userError } from '#kernel';
import { type TestHub, testHub } from '../http/testing.ts';

// A command is a process of its own, and there are many of them.
vi.setConfig({ testTimeout: 240_000 });

interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const ENTRY = `const { buildCli, runCli } = await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)});
process.exitCode = await runCli(buildCli('1.2.3'), process.argv.slice(1));`;

/** Compiled once for all the processes of this file. */
const cache = mkdtempSync(join(tmpdir(), 'bac-test-compiled-'));

/** The client commands in a process of their own, without what `bac up` needs. */
function runBac(
  args: readonly string[],
  env: Record<string, string> = {},
  cwd = tmpdir(),
  input = '',
): Promise<CommandResult> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', ENTRY, '--', ...args], {
    cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, NODE_COMPILE_CACHE: cache, ...env },
  });
  child.stdin.end(input);
  const out = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      out[name] += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? -1, ...out }));
  });
}

let hub: TestHub;
const bac = (...args: string[]): Promise<CommandResult> =>
  runBac(args, { BAC_STATE_DIR: hub.stateDir, NO_COLOR: '1' });

beforeAll(async () => {
  hub = await testHub({
    services: {
      verify: async ({ source, table }, onProgress) => {
        if (source === 'none')
          throw userError('SOURCE_NOT_FOUND', 'There is no source "none".', 'See `bac status`.');
        onProgress({ message: 'comparing' });
        const wrong = table === 'public.wrong';
        return {
          ok: !wrong,
          tables: [
            {
              source: source ?? 'shop',
              table: table ?? 'public.goods',
              state: wrong ? 'different' : 'ok',
              sourceRows: 1234,
              warehouseRows: wrong ? 1233 : 1234,
              differences: wrong ? 1 : 0,
              repaired: 0,
              changing: 0,
              truncated: false,
              examples: wrong ? [{ kind: 'missing-in-warehouse', key: { id: '7' } }] : [],
            },
          ],
        };
      },
    },
  });
  await hub.pool.query('CREATE TABLE public.goods (id int PRIMARY KEY, name text)');
  await hub.pool.query("INSERT INTO public.goods SELECT n, 'x' FROM generate_series(1, 20) n");
});
afterAll(async () => {
  await hub?.[Symbol.asyncDispose]();
  rmSync(cache, { recursive: true, force: true });
});

/** Standard output is one JSON document and nothing else. */
const document = ({ stdout, stderr, code }: CommandResult, expected = 0) => {
  expect([code, expected === 0 ? stderr : '']).toEqual([expected, '']);
  return JSON.parse(stdout);
};

test('a source from the command line: add and wait, list, status, sql, pause, resume, remove', async () => {
  const added = await bac('connect', 'add', 'shop', '--url', hub.database, '--tables', 'goods', '--wait');
  expect([added.code, added.stdout]).toEqual([0, 'Source shop streams 1 tables.\n']);
  expect(document(await bac('connect', 'list', '--json')).sources[0].name).toBe('shop');
  expect((await bac('connect', 'list')).stdout).toMatch(/^ {2}name +state +tables/);
  const status = document(await bac('status', '--json'));
  expect(status.sources[0].tables[0].table).toBe('goods');
  const text = await bac('status');
  expect(text.stdout).toMatch(/public\.goods +streaming +20 /);
  expect(text.stdout).not.toContain('\u001b');
  const rows = await bac('sql', 'SELECT count() AS n FROM shop.goods FINAL');
  expect([rows.code, rows.stdout]).toEqual([0, 'n\n20\n']);
  expect(document(await bac('sql', 'SELECT 1 AS a', '--json')).data).toEqual([{ a: 1 }]);
  expect((await bac('sql', 'SELECT 1 AS a', '--format', 'CSV')).stdout).toBe('1\n');
  expect((await bac('connect', 'pause', 'shop')).stdout).toBe('Source shop paused.\n');
  expect((await bac('connect', 'resume', 'shop')).code).toBe(0);
  expect(document(await bac('connect', 'remove', 'shop', '--drop-tables', '--json'))).toEqual({
    name: 'shop',
  });
});

describe('verify', () => {
  test('equal is 0, different is 1, and progress stays off standard output', async () => {
    const equal = await bac('verify', '--json');
    expect([equal.code, equal.stderr, JSON.parse(equal.stdout).ok]).toEqual([0, 'comparing\n', true]);
    const different = await bac('verify', 'shop.public.wrong');
    expect(different.code).toBe(1);
    expect(different.stdout).toBe(
      [
        '  table              state      source  warehouse  differ  repaired',
        '  shop.public.wrong  different   1,234      1,233       1         0',
        '      missing in warehouse: {"id":"7"}',
        'Source and warehouse differ.',
        '',
      ].join('\n'),
    );
  });

  test('an error in the stream is an error of the command', async () => {
    const lost = await bac('verify', 'none');
    expect([lost.code, lost.stderr]).toEqual([
      1,
      'There is no source "none". [SOURCE_NOT_FOUND]\nSee `bac status`.\n',
    ]);
  });
});

test('an app from the command line: new, plan, apply, list, show, status, rollback', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'bac-test-app-'));
  const file = join(dir, 'garden', 'app.yaml');
  try {
    expect(document(await bac('app', 'new', 'garden', '--in', dir, '--json'))).toEqual({ file });
    expect(await bac('app', 'new', 'garden', '--in', dir)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('FILE_EXISTS'),
    });
    const plan = await bac('app', 'plan', file);
    expect(plan.stdout).toMatch(/^garden \(Garden\): new\n\nDatabase\n/);
    expect(plan.stdout).toMatch(/business\.garden_item +is made/);
    expect(plan.stdout).toContain('from now on: garden.item: everyone may read, create, update and comment');
    const unasked = await bac('app', 'apply', file);
    expect([unasked.code, unasked.stdout]).toEqual([1, '']);
    expect(unasked.stderr).toContain('[CONFIRMATION_NEEDED]\nLook at the plan, then add --yes.');
    const applied = await bac('app', 'apply', file, '--yes', '--wait', '--json');
    expect(applied.stderr).toContain('the new definitions are in force\n');
    expect(JSON.parse(applied.stdout)).toMatchObject({ ok: true, apps: [{ app: 'garden', version: 1 }] });
    expect((await bac('app', 'apply', file)).stdout).toBe('Everything is so already.\n');
    expect((await bac('app', 'list')).stdout).toMatch(/garden +Garden +1 +2 +applied .* admin\n/);
    expect(document(await bac('status', '--json')).apps).toMatchObject([{ name: 'garden', version: 1 }]);
    expect((await bac('app', 'show', 'garden')).stdout).toContain('app:\n  name: garden');
    expect((await bac('app', 'rollback', 'garden', '--yes')).stderr).toContain('[ROLLBACK_NOTHING]');
    expect((await bac('app', 'show', 'gardn')).stderr).toContain('Did you mean "garden"?');
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('dead letters are listed, and discarded only when named', async () => {
  await hub.pool.query(
    `INSERT INTO bac.dead_letters (id, source, schema_name, table_name, topic, partition, log_offset, error_code, error)
     VALUES (gen_random_uuid(), 'shop', 'public', 'goods', 't', 0, 1, 'BAD', 'no')`,
  );
  expect((await bac('deadletters', 'list', 'shop.goods')).stdout).toContain('BAD: no');
  expect((await bac('deadletters', 'discard')).code).toBe(2);
  expect(document(await bac('deadletters', 'discard', 'shop.public.goods', '--json'))).toEqual({ done: 1 });
  expect((await bac('deadletters', 'list')).stdout).toBe('No dead letters.\n');
});

test('keys: created, used by URL, listed, revoked', async () => {
  const { key, id } = document(await bac('keys', 'create', 'bi', '--scopes', 'read', '--json'));
  const remote = (...args: string[]) => runBac(args, { BAC_URL: hub.url, BAC_KEY: key });
  expect((await remote('status')).code).toBe(0);
  expect((await remote('connect', 'pause', 'shop')).stderr).toContain('FORBIDDEN');
  expect((await bac('keys', 'list')).stdout).toMatch(new RegExp(`${id} +bi +read`));
  expect((await bac('keys', 'revoke', id)).code).toBe(0);
  expect((await remote('status')).stderr).toContain('UNAUTHORISED');
});

test('tenants, users and the trail: passwords from standard input, never shown', async () => {
  const env = { BAC_STATE_DIR: hub.stateDir, NO_COLOR: '1' };
  const password = 'correct horse battery';
  expect((await bac('tenants', 'add', 'aurora', '--name', 'Aurora Living')).stdout).toBe(
    'Tenant aurora added.\n',
  );
  expect((await bac('tenants', 'list')).stdout).toMatch(/aurora +Aurora Living/);
  const added = await runBac(
    ['users', 'add', 'ann@aurora.example', '--tenant', 'aurora', '--roles', 'sales', '--set', 'region=north'],
    env,
    tmpdir(),
    `${password}\n`,
  );
  expect([added.code, added.stdout]).toEqual([0, 'Account ann@aurora.example added.\n']);
  expect((await bac('users', 'add', 'robot', '--service', '--tenant', 'aurora')).code).toBe(0);
  expect((await bac('users', 'list', '--tenant', 'aurora')).stdout).toMatch(
    /ann@aurora\.example +person +aurora +sales +read,write +no +live/,
  );
  const session = await fetch(`${hub.url}/api/v1/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'ann@aurora.example', password }),
  });
  expect(session.status).toBe(200);
  expect((await bac('users', 'roles', 'ann@aurora.example', 'sales,support')).code).toBe(0);
  expect((await bac('users', 'roles', 'ann@aurora.example')).code).toBe(2);
  const passwd = await runBac(['users', 'passwd', 'ann@aurora.example'], env, tmpdir(), 'short\n');
  expect([passwd.code, passwd.stderr]).toEqual([1, expect.stringContaining('PASSWORD_WEAK')]);
  expect((await runBac(['users', 'passwd', 'ann@aurora.example'], env)).stderr).toContain('PASSWORD_MISSING');
  const { key } = document(await bac('keys', 'create', '--owner', 'robot', '--expires', '30d', '--json'));
  const remote = (...args: string[]) => runBac(args, { BAC_URL: hub.url, BAC_KEY: key });
  expect((await remote('sql', 'SELECT 1')).stderr).toContain('TENANT_BOUND');
  expect((await bac('users', 'disable', 'robot')).stdout).toBe('Account robot disabled.\n');
  expect((await remote('sql', 'SELECT 1')).stderr).toContain('UNAUTHORISED');
  const trail = await bac('audit', '--tenant', 'aurora');
  expect(trail.stdout).toMatch(/aurora +robot +POST \/api\/v1\/sql +denied TENANT_BOUND/);
  expect(trail.stdout).toMatch(/user\.create +user ann@aurora\.example +ok/);
  expect(trail.stdout).not.toContain(password);
});

describe('failures: one message, the next step, exit 1, no stack trace', () => {
  const cases: [string, string[], RegExp][] = [
    ['a bad URL', ['connect', 'add', 'x', '--url', 'nonsense'], /url: Give a URL like postgres:/],
    ['a bad name', ['connect', 'add', 'Big', '--url', 'postgres://a@b/c'], /name: Use a lower-case letter/],
    [
      'nothing listening',
      ['connect', 'add', 'x', '--url', 'postgres://a:b@127.0.0.1:1/c'],
      /SOURCE_UNREACHABLE/,
    ],
    ['an unknown source', ['connect', 'pause', 'none'], /no source "none"/],
    ['bad SQL', ['sql', 'SELEC 1'], /WAREHOUSE_SYNTAX_ERROR/],
    ['writing SQL', ['sql', 'CREATE DATABASE x'], /WAREHOUSE_READONLY/],
    ['an unknown format', ['sql', 'SELECT 1', '--format', 'Nonsense'], /WAREHOUSE_UNKNOWN_FORMAT/],
    ['an unknown key id', ['keys', 'revoke', '000000000000'], /KEY_NOT_FOUND/],
  ];
  test.each(cases)('%s', async (_, args, expected) => {
    const { code, stdout, stderr } = await bac(...args);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(expected);
    expect(stderr).not.toMatch(/\bat .*:\d+:\d+|ZodError/);
    expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(4);
  });

  test.each([[['status']], [['sql', 'SELECT 1']], [['connect', 'list', '--json']]])(
    'no hub: %s',
    async (args) => {
      const dir = mkdtempSync(join(tmpdir(), 'bac-none-'));
      const none = await runBac(args, { BAC_STATE_DIR: join(dir, '.bac') }, dir);
      expect([none.code, none.stdout]).toEqual([1, '']);
      expect(none.stderr).toBe(
        'No hub is running here. [HUB_NOT_RUNNING]\nStart one with `./bac up`, or name one with --url.\n',
      );
      rmSync(dir, { recursive: true });
    },
  );

  test('a hub.json left behind by a crash, or cut off, is no hub', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'bac-stale-'));
    for (const text of [JSON.stringify({ pid: 999_999_999, addresses: { http: hub.url } }), '{"pid":']) {
      writeFileSync(join(dir, 'hub.json'), text);
      expect((await runBac(['status'], { BAC_STATE_DIR: dir })).stderr).toContain('HUB_NOT_RUNNING');
    }
    rmSync(dir, { recursive: true });
  });
});

describe('wrong usage is exit 2', () => {
  test.each([
    [['stauts'], 'Did you mean status?'],
    [['status', '--jsno'], 'Did you mean --json?'],
    [['connect', 'add', 'x'], "required option '--url <url>' not specified"],
    [['connect', 'add', 'x', '--url', 'postgres://a@b/c', '--kind', 'oracle'], 'Allowed choices'],
    [['sql'], "missing required argument 'query'"],
    [['status', '--json', '--watch'], 'leave out --watch'],
    [['doctor', '--timeout', 'soon'], '--timeout takes'],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await bac(...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
  });

  test('help is no error and has examples', async () => {
    const help = await bac('connect', 'add', '--help');
    expect(help.code).toBe(0);
    expect(help.stdout).toContain('Examples:');
    expect((await bac('--version')).code).toBe(0);
  });
});

test('the doctor without a hub checks this machine and says so', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'bac-none-'));
  const { code, stdout } = await runBac(
    ['doctor', '--json'],
    { BAC_STATE_DIR: dir, BAC_HTTP_PORT: '0' },
    dir,
  );
  const report = JSON.parse(stdout);
  expect([code, report.running]).toEqual([1, false]);
  expect(report.findings.map(({ name }: { name: string }) => name)).toEqual(
    expect.arrayContaining(['node', 'engines', 'disk', 'hub']),
  );
  rmSync(dir, { recursive: true });
});

test('the configuration is shown without secrets', async () => {
  const { stdout } = await runBac(['config'], { BAC_POSTGRES_URL: 'postgres://a:hunter2@b/c' });
  expect(stdout).toContain('postgres://a:[secret]@b/c');
});

test('app deliveries shows webhooks and has dead ones sent again', async () => {
  expect((await bac('app', 'deliveries')).stdout).toBe('No webhooks.\n');
  const { rows } = await hub.pool.query<{ id: string }>(
    `INSERT INTO bac.outbox (tenant_id, entity, record_id, url, body, state, attempts, last_error)
     VALUES ('one', 'desk.ticket', 7, 'https://hooks.example/x?key=1', '{}', 'dead', 12, 'HTTP 500') RETURNING id`,
  );
  const { id } = rows[0]!;
  const shown = await bac('app', 'deliveries', '--state', 'dead');
  expect(shown.stdout).toMatch(/one +desk.ticket 7 +dead +12 +– +HTTP 500 +https:\/\/hooks.example\/x/);
  expect((await bac('app', 'deliveries', '--resend', id)).stdout).toBe('1 sent again.\n');
  const waiting = JSON.parse((await bac('app', 'deliveries', '--tenant', 'one', '--json')).stdout);
  expect(waiting.deliveries).toMatchObject([{ id, state: 'waiting', attempts: 0 }]);
  expect((await bac('app', 'deliveries', '--resend', '--json')).stdout).toContain('"done": 0');
});
