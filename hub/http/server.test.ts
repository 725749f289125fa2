import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Status } from '../status/index.ts';
import { ask, type TestHub, testHub } from './testing.ts';

let hub: TestHub;
beforeAll(async () => {
  hub = await testHub();
});
afterAll(async () => {
  await hub?.[Symbol.asyncDispose]();
});

const cookieOf = (headers: Readonly<Record<string, string | string[] | undefined>>): string =>
  String(headers['set-cookie']).split(';')[0]!;

describe('health', () => {
  test('alive and ready without a key', async () => {
    expect((await ask(hub, 'GET', '/healthz')).json).toEqual({ ok: true });
    const ready = await ask(hub, 'GET', '/readyz');
    expect(ready.status).toBe(200);
    expect(ready.json.checks).toEqual({
      postgres: { ok: true },
      log: { ok: true },
      clickhouse: { ok: true },
    });
  });
});

describe('who may come in', () => {
  const closed = [
    '/api/v1/status',
    '/api/v1/status/stream',
    '/api/v1/openapi.json',
    '/metrics',
    '/api/v1/keys',
  ];
  test.each(closed)('%s needs a principal', async (path) => {
    const answer = await ask(hub, 'GET', path);
    expect(answer.status).toBe(401);
    expect(answer.json.error.code).toBe('UNAUTHORISED');
  });

  test.each([
    ['no key at all', ''],
    ['another scheme', 'Basic abc'],
    ['not a key', 'Bearer nonsense'],
    ['unknown id', `Bearer 000000000000.${'a'.repeat(43)}`],
    ['SQL', "Bearer ' OR 1=1 --"],
  ])('refuses %s', async (_, authorization) => {
    expect((await ask(hub, 'GET', '/api/v1/status', { headers: { authorization } })).status).toBe(401);
  });

  test('a wrong secret of a known key, and a revoked key, are refused', async () => {
    const id = hub.keys.read.split('.')[0]!;
    expect((await ask(hub, 'GET', '/api/v1/status', { key: `${id}.${'a'.repeat(43)}` })).status).toBe(401);
    const made = await ask(hub, 'POST', '/api/v1/keys', { key: hub.keys.admin, body: { user: 'bi' } });
    expect(made.status).toBe(201);
    expect((await ask(hub, 'GET', '/api/v1/status', { key: made.json.key })).status).toBe(200);
    await ask(hub, 'DELETE', `/api/v1/keys/${made.json.id}`, { key: hub.keys.admin });
    expect((await ask(hub, 'GET', '/api/v1/status', { key: made.json.key })).status).toBe(401);
  });

  test('reading does not give writing, writing does not give administration', async () => {
    const { read, write } = hub.keys;
    const pause = await ask(hub, 'POST', '/api/v1/sources/x/pause', { key: read });
    expect([pause.status, pause.json.error.code]).toEqual([403, 'FORBIDDEN']);
    expect((await ask(hub, 'POST', '/api/v1/keys', { key: write, body: { user: 'x' } })).status).toBe(403);
    expect((await ask(hub, 'DELETE', '/api/v1/sources/x', { key: write })).status).toBe(403);
  });

  test('the secret is not in the database', async () => {
    const [id, secret] = hub.keys.admin.split('.');
    const { rows } = await hub.pool.query('SELECT * FROM bac.api_keys WHERE id = $1', [id]);
    expect(JSON.stringify(rows)).not.toContain(secret);
  });
});

describe('the page and its session', () => {
  const local = (): Record<string, string> => ({ host: `127.0.0.1:${hub.port}` });

  test('a loopback visitor gets an HttpOnly, SameSite=Strict cookie that opens the API', async () => {
    const page = await ask(hub, 'GET', '/', { headers: { host: `localhost:${hub.port}` } });
    expect(page.text).toContain('BAC Hub');
    expect(String(page.headers['set-cookie'])).toMatch(/HttpOnly; SameSite=Strict/);
    expect(page.headers['content-security-policy']).toContain("default-src 'self'");
    const cookie = cookieOf(page.headers);
    expect((await ask(hub, 'GET', '/api/v1/session', { headers: { ...local(), cookie } })).json.user).toBe(
      'local-owner',
    );
  });

  test.each([
    'evil.example',
    'evil.example:7400',
    '127.0.0.1.evil.example',
    '[::2]',
    'localhost:7400@evil.example',
    '10.0.0.5',
  ])('no cookie for, and none taken from, Host %s (DNS rebinding)', async (host) => {
    expect((await ask(hub, 'GET', '/', { headers: { host } })).headers['set-cookie']).toBeUndefined();
    const cookie = cookieOf((await ask(hub, 'GET', '/', { headers: local() })).headers);
    expect((await ask(hub, 'GET', '/api/v1/status', { headers: { host, cookie } })).status).toBe(403);
  });

  test('a change with a cookie must come from the same origin (CSRF)', async () => {
    const cookie = cookieOf((await ask(hub, 'GET', '/', { headers: local() })).headers);
    const login = (headers: Record<string, string>): Promise<number> =>
      ask(hub, 'POST', '/api/v1/sources/nowhere/pause', { headers: { ...local(), cookie, ...headers } }).then(
        ({ status }) => status,
      );
    expect(await login({})).toBe(403);
    expect(await login({ origin: 'http://evil.example' })).toBe(403);
    expect(await login({ origin: 'null' })).toBe(403);
    expect(await login({ origin: `http://127.0.0.1:${hub.port + 1}` })).toBe(403);
    expect(await login({ origin: `http://127.0.0.1:${hub.port}`, 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await login({ origin: `http://127.0.0.1:${hub.port}` })).toBe(404);
  });

  test.each(['', 'x', 'a.b', 'eyJ9.AAAA'])('a made-up cookie "%s" is no session', async (value) => {
    const cookie = `bac_session_${hub.port}=${value}`;
    expect((await ask(hub, 'GET', '/api/v1/status', { headers: { ...local(), cookie } })).status).toBe(401);
  });

  test('a tampered cookie is no session', async () => {
    const [name, value] = cookieOf((await ask(hub, 'GET', '/', { headers: local() })).headers).split('=') as [
      string,
      string,
    ];
    const [payload, mac] = value.split('.') as [string, string];
    const session = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const forged = Buffer.from(JSON.stringify({ ...session, until: 9e15 })).toString('base64url');
    const answer = await ask(hub, 'GET', '/api/v1/status', {
      headers: { ...local(), cookie: `${name}=${forged}.${mac}` },
    });
    expect(answer.status).toBe(401);
  });

  test('signing in with a key gives that key’s rights, and revoking the key ends the session', async () => {
    const { json } = await ask(hub, 'POST', '/api/v1/keys', { key: hub.keys.admin, body: { user: 'eve' } });
    const signed = await ask(hub, 'POST', '/api/v1/session', { headers: local(), body: { key: json.key } });
    const cookie = cookieOf(signed.headers);
    const status = (): Promise<number> =>
      ask(hub, 'GET', '/api/v1/status', { headers: { ...local(), cookie } }).then((answer) => answer.status);
    expect(await status()).toBe(200);
    expect((await ask(hub, 'GET', '/api/v1/keys', { headers: { ...local(), cookie } })).status).toBe(403);
    await ask(hub, 'DELETE', `/api/v1/keys/${json.id}`, { key: hub.keys.admin });
    expect(await status()).toBe(401);
    expect(
      (await ask(hub, 'POST', '/api/v1/session', { headers: local(), body: { key: json.key } })).status,
    ).toBe(401);
  });

  test('pages fall back to the app; unknown API paths and assets are 404 in JSON', async () => {
    const outside = await ask(hub, 'GET', '/assets/../../key', { headers: local() });
    expect(outside.status).toBe(400);
    expect((await ask(hub, 'GET', '/streams/any', { headers: local() })).text).toContain('BAC Hub');
    for (const path of ['/api/v1/nothing', '/assets/none.js', '/api']) {
      const answer = await ask(hub, 'GET', path, { headers: local() });
      expect([path, answer.status, answer.json?.error.code]).toEqual([path, 404, 'NOT_FOUND']);
    }
  });
});

describe('wrong input is refused with one reason and no trace', () => {
  const cases: [string, string, string, unknown, number][] = [
    ['no body', 'POST', '/api/v1/sources', undefined, 400],
    ['not JSON', 'POST', '/api/v1/sources', '{"name":', 400],
    ['a bad name', 'POST', '/api/v1/sources', { name: 'Shop 1', url: 'postgres://a@b/c' }, 400],
    ['another protocol', 'POST', '/api/v1/sources', { name: 'x', url: 'mysql://a@b/c' }, 400],
    ['an unknown key', 'POST', '/api/v1/sources', { name: 'x', url: 'postgres://a@b/c', nmae: 1 }, 400],
    ['no tables', 'POST', '/api/v1/sources', { name: 'x', url: 'postgres://a@b/c', tables: [] }, 400],
    ['nothing listening', 'POST', '/api/v1/sources', { name: 'x', url: 'postgres://a:b@127.0.0.1:1/c' }, 400],
    ['an unknown source', 'POST', '/api/v1/sources/none/pause', undefined, 404],
    ['an unknown table', 'GET', '/api/v1/tables/a/b/c', undefined, 404],
    ['a limit too large', 'GET', '/api/v1/deadletters?limit=100000', undefined, 400],
    ['a made-up cursor', 'GET', '/api/v1/deadletters?cursor=%27', undefined, 400],
    ['an unknown parameter', 'GET', '/api/v1/deadletters?soruce=x', undefined, 400],
    ['a replay of nothing', 'POST', '/api/v1/deadletters/replay', {}, 400],
    ['ids that are none', 'POST', '/api/v1/deadletters/discard', { ids: ['1'] }, 400],
    ['empty SQL', 'POST', '/api/v1/sql', { sql: ' ' }, 400],
    ['a format with a space', 'POST', '/api/v1/sql', { sql: 'SELECT 1', format: 'JSON SETTINGS x=1' }, 400],
    ['a body too large', 'POST', '/api/v1/sql', { sql: `SELECT '${'x'.repeat(1_100_000)}'` }, 413],
    ['a table without its source', 'POST', '/api/v1/verify', { table: 'x' }, 400],
    ['scopes that do not exist', 'POST', '/api/v1/keys', { user: 'x', scopes: ['root'] }, 400],
    ['the hub’s own role', 'POST', '/api/v1/keys', { user: 'system:x' }, 403],
    ['a key id of another form', 'DELETE', '/api/v1/keys/zz', undefined, 400],
    ['an unknown key', 'DELETE', '/api/v1/keys/000000000000', undefined, 404],
  ];
  test.each(cases)('%s', async (_, method, path, body, status) => {
    const answer = await ask(hub, method, path, { key: hub.keys.admin, body });
    expect([answer.status, answer.json?.error]).toEqual([
      status,
      expect.objectContaining({ code: expect.stringMatching(/^[A-Z_]+$/), message: expect.any(String) }),
    ]);
    expect(answer.text).not.toMatch(/\bat .*\.ts:\d+|node_modules/);
    expect(answer.headers['x-request-id']).toBeTruthy();
  });

  test('each wrong field is named', async () => {
    const { json } = await ask(hub, 'POST', '/api/v1/sources', {
      key: hub.keys.admin,
      body: { name: 'A', url: 'x' },
    });
    expect(json.error.details.fields.map((field: { path: string }) => field.path)).toEqual(['name', 'url']);
  });
});

describe('a source from beginning to end', () => {
  const status = async (): Promise<Status> =>
    (await ask(hub, 'GET', '/api/v1/status', { key: hub.keys.read })).json;

  test('added, seen streaming with rows and freshness, traced, paused, removed', async () => {
    await hub.pool.query('CREATE SCHEMA bac_probe');
    await hub.pool.query(
      'CREATE TABLE bac_probe.probe (id text PRIMARY KEY, written_at timestamptz NOT NULL DEFAULT now())',
    );
    await hub.pool.query('CREATE TABLE public.goods (id int PRIMARY KEY, name text)');
    await hub.pool.query("INSERT INTO public.goods SELECT n, 'good ' || n FROM generate_series(1, 500) n");
    expect((await status()).sources).toEqual([]);
    const added = await ask(hub, 'POST', '/api/v1/sources', {
      key: hub.keys.write,
      body: { name: 'shop', url: hub.database, tables: ['goods', 'bac_probe.probe'] },
    });
    expect([added.status, added.json]).toEqual([201, { name: 'shop' }]);
    expect((await status()).sources.map(({ name }) => name)).toEqual(['shop']);
    const again = await ask(hub, 'POST', '/api/v1/sources', {
      key: hub.keys.write,
      body: { name: 'shop', url: hub.database },
    });
    expect([again.status, again.json.error.code]).toEqual([409, 'SOURCE_EXISTS']);

    const streaming = await vi.waitFor(
      async () => {
        const source = (await status()).sources.find(({ name }) => name === 'shop');
        expect(source?.tables.map((table) => table.state)).toEqual(['streaming', 'streaming']);
        expect(source?.tables.find(({ table }) => table === 'goods')).toMatchObject({
          rows: 500,
          rowsKind: 'exact',
          freshnessMs: expect.any(Number),
          lagEvents: 0,
          warehouseTable: 'shop.goods',
        });
        return source!;
      },
      { timeout: 30_000, interval: 100 },
    );
    expect(streaming.url).not.toContain(new URL(hub.database).password);

    const detail = (await ask(hub, 'GET', '/api/v1/tables/shop/public/goods', { key: hub.keys.read })).json;
    expect(detail).toMatchObject({ key: ['id'], keyRule: 'primary-key', versions: [{ version: 1 }] });
    const counted = await ask(hub, 'POST', '/api/v1/sql', {
      key: hub.keys.read,
      body: { sql: detail.sql.count, format: 'TSV' },
    });
    expect(counted.text.trim()).toBe('500');

    const doctor = await ask(hub, 'POST', '/api/v1/doctor', { key: hub.keys.write, body: {} });
    const findings = doctor.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(findings.filter(({ type }) => type === 'hop').map(({ name, ok }) => [name, ok])).toEqual([
      ['committed at the source', true],
      ['read by capture, durable in the log', true],
      ['visible in ClickHouse (FINAL)', true],
      ['acknowledged by the sink', true],
    ]);
    expect(findings.at(-1)).toEqual({ type: 'result', ok: true });

    const metrics = await ask(hub, 'GET', '/metrics', { key: hub.keys.read });
    expect(metrics.text).toMatch(
      /bac_table_rows\{source="shop",schema="public",table="goods",kind="\w+"\} 500/,
    );
    expect(metrics.text).toContain('bac_up 1');

    const missing = await ask(hub, 'POST', '/api/v1/sources/shop/resnapshot', {
      key: hub.keys.write,
      body: { tables: ['god'] },
    });
    expect([missing.status, missing.json.error.code]).toEqual([404, 'TABLE_NOT_FOUND']);
    expect(
      (await ask(hub, 'POST', '/api/v1/sources/shop/resnapshot', { key: hub.keys.write, body: {} })).status,
    ).toBe(200);

    await ask(hub, 'POST', '/api/v1/sources/shop/pause', { key: hub.keys.write });
    await vi.waitFor(
      async () => expect((await status()).sources[0]).toMatchObject({ state: 'paused', desired: 'paused' }),
      { timeout: 30_000, interval: 100 },
    );
    expect((await ask(hub, 'DELETE', '/api/v1/sources/shop', { key: hub.keys.admin })).status).toBe(200);
    await vi.waitFor(async () => expect((await status()).sources).toEqual([]), {
      timeout: 30_000,
      interval: 100,
    });
    expect((await status()).events.map(({ subject }) => subject)).toContain('shop');
  });

  test('the doctor finds no fault where no source captures the probe, and says that no row was followed', async () => {
    const doctor = await ask(hub, 'POST', '/api/v1/doctor', { key: hub.keys.write, body: {} });
    const lines = doctor.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.at(-1)).toEqual({ type: 'result', ok: true });
    expect(lines.find(({ name }) => name === 'trace')).toMatchObject({
      ok: true,
      skipped: true,
      next: expect.stringContaining('bac verify'),
    });
  });
});

describe('SQL', () => {
  const sql = (text: string, format = 'JSONEachRow') =>
    ask(hub, 'POST', '/api/v1/sql', { key: hub.keys.read, body: { sql: text, format } });

  test('streams a large result whole', async () => {
    const { text, status } = await sql('SELECT number FROM system.numbers LIMIT 300000', 'TSV');
    expect([status, text.trimEnd().split('\n').length]).toEqual([200, 300_000]);
  });

  test('a semicolon and a FORMAT of its own are taken', async () => {
    expect((await sql('SELECT 1 AS a FORMAT CSVWithNames;\n')).text).toBe('"a"\n1\n');
  });

  test.each([
    ['syntax', 'SELEC 1', 'WAREHOUSE_SYNTAX_ERROR'],
    ['unknown table', 'SELECT * FROM nowhere.nothing', 'WAREHOUSE_UNKNOWN'],
    ['create', 'CREATE DATABASE intruder', 'WAREHOUSE_READONLY'],
    ['drop', 'DROP DATABASE default', 'WAREHOUSE_READONLY'],
    ['insert', "INSERT INTO FUNCTION null('a Int') VALUES (1)", 'WAREHOUSE_'],
    ['the file system', "SELECT * FROM file('/etc/passwd', LineAsString)", 'WAREHOUSE_'],
    ['the network', "SELECT * FROM url('http://127.0.0.1:1/', LineAsString)", 'WAREHOUSE_'],
    ['lifting the limits', 'SELECT 1 SETTINGS readonly = 0', 'WAREHOUSE_READONLY'],
    ['lifting the time', 'SELECT 1 SETTINGS max_execution_time = 0', 'WAREHOUSE_READONLY'],
    ['set', 'SET readonly = 0', 'WAREHOUSE_'],
  ])('refuses %s', async (_, text, code) => {
    const answer = await sql(text);
    expect(answer.json?.error.code).toContain(code);
    expect(answer.status).toBeGreaterThanOrEqual(400);
  });
});

describe('dead letters', () => {
  const put = (offset: number, value: Buffer): Promise<unknown> =>
    hub.pool.query(
      `INSERT INTO bac.dead_letters (id, source, schema_name, table_name, topic, partition, log_offset, key, value, error_code, error)
       VALUES (gen_random_uuid(), 'shop', 'public', 'bad', 'shop.public.bad', 0, $1, '{"id":1}', $2, 'BAD', 'cannot be stored')`,
      [offset, value],
    );

  test('page by page without gap or repeat, bad UTF-8 included; then discarded', async () => {
    for (let offset = 0; offset < 7; offset += 1) await put(offset, Buffer.from([0x7b, 0xff, 0x00, 0x7d]));
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const query = new URLSearchParams({ source: 'shop', limit: '3', ...(cursor ? { cursor } : {}) });
      const { json } = await ask(hub, 'GET', `/api/v1/deadletters?${query}`, { key: hub.keys.read });
      expect(json.deadLetters.length).toBeLessThanOrEqual(3);
      seen.push(...json.deadLetters.map((letter: { id: string }) => letter.id));
      cursor = json.next;
    }
    expect([seen.length, new Set(seen).size]).toEqual([7, 7]);
    const one = await ask(hub, 'POST', '/api/v1/deadletters/discard', {
      key: hub.keys.write,
      body: { ids: [seen[0]] },
    });
    expect(one.json).toEqual({ done: 1 });
    const rest = await ask(hub, 'POST', '/api/v1/deadletters/discard', {
      key: hub.keys.write,
      body: { source: 'shop' },
    });
    expect(rest.json).toEqual({ done: 6 });
  });
});

describe('the live stream', () => {
  test('history first, then documents, also while the warehouse is down; a stop ends it at once', async () => {
    await using other = await testHub();
    const response = await fetch(`${other.url}/api/v1/status/stream`, {
      headers: { authorization: `Bearer ${other.keys.read}` },
    });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while ((text.match(/event: status/g) ?? []).length < 2) text += (await reader.read()).value;
    expect(text.startsWith('event: history\ndata: [')).toBe(true);

    // With the warehouse gone, the page goes on and says what is wrong.
    await other.killWarehouse();
    const ready = await ask(other, 'GET', '/readyz');
    // Nothing but words: reasons name hosts and users, and anybody may ask.
    expect([ready.status, ready.json]).toEqual([
      503,
      {
        ready: false,
        checks: { postgres: { ok: true }, log: { ok: true }, clickhouse: { ok: false } },
      },
    ]);
    text = '';
    while (!/event: status\ndata: .*"warehouse":\{[^}]*"error":\{"code"/.test(text))
      text += (await reader.read()).value;

    const closed = other.close();
    while (!(await reader.read()).done);
    await closed;
  });
});

test('the OpenAPI document describes every route with its schemas', async () => {
  const { json } = await ask(hub, 'GET', '/api/v1/openapi.json', { key: hub.keys.read });
  expect(json.openapi).toBe('3.1.0');
  expect(Object.keys(json.paths)).toEqual(
    expect.arrayContaining([
      '/api/v1/status',
      '/api/v1/sources/{name}/pause',
      '/api/v1/sql',
      '/api/v1/deadletters/replay',
    ]),
  );
  const ids = Object.values(json.paths as Record<string, Record<string, { operationId: string }>>).flatMap(
    (path) => Object.values(path).map(({ operationId }) => operationId),
  );
  expect(new Set(ids).size).toBe(ids.length);
  expect(json.paths['/api/v1/sql'].post.requestBody.content['application/json'].schema.required).toEqual([
    'sql',
  ]);
});
