import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLogger } from '#kernel';
import { installApiKey } from '../identity/index.ts';
import { createHttpServer, type HttpServer } from './server.ts';
import { ask, type TestHub, testHub } from './testing.ts';

/** What a server shows to whom, by where it listens and what stands in front of it. */
let hub: TestHub;
const servers: HttpServer[] = [];
beforeAll(async () => {
  hub = await testHub();
});
afterAll(async () => {
  for (const server of servers) await server.close();
  await hub?.[Symbol.asyncDispose]();
});

async function serve(
  http: { host?: string; publicUrl?: string },
  sessionSecret: string | null = null,
): Promise<{ port: number }> {
  const server = createHttpServer({
    ...hub,
    config: { ...hub.config, http: { host: '127.0.0.1', port: 0, ...http } },
    logger: silentLogger(),
    webRoot: `${hub.stateDir}/web`,
    sessionSecret,
    services: {} as never, // nobody gets so far
  });
  servers.push(server);
  return server.listen();
}

const cookieOf = (headers: Readonly<Record<string, string | string[] | undefined>>): string =>
  String(headers['set-cookie']).split(';')[0]!;

test('on all addresses: the page gives no session to a loopback visitor, and every route wants a principal', async () => {
  const server = await serve({ host: '0.0.0.0' });
  for (const host of [`127.0.0.1:${server.port}`, 'localhost', 'hub.example']) {
    const page = await ask(server, 'GET', '/', { headers: { host } });
    expect(page.status).toBe(200);
    expect(page.headers['set-cookie']).toBeUndefined();
  }
  const { json } = await ask(server, 'GET', '/api/v1/openapi.json', { key: hub.keys.read });
  const all = Object.entries(json.paths as Record<string, Record<string, { security?: unknown[] }>>).flatMap(
    ([path, verbs]) =>
      Object.entries(verbs).map(([verb, { security }]) => ({
        route: [verb.toUpperCase(), path.replace(/\{[^}]+\}/g, 'x')] as const,
        open: security?.length === 0,
      })),
  );
  expect(all.filter(({ open }) => open).map(({ route }) => route.join(' '))).toEqual([
    'POST /api/v1/session',
    'DELETE /api/v1/session',
    'GET /api/v1/oidc',
    'GET /api/v1/oidc/x/start',
    'GET /api/v1/oidc/callback',
  ]);
  const routes = all.filter(({ open }) => !open).map(({ route }) => route);
  expect(routes.length).toBeGreaterThan(35);
  for (const [verb, path] of [...routes, ['GET', '/metrics'], ['GET', '/api/v1/openapi.json']] as const) {
    const body = verb === 'POST' ? { body: {} } : {};
    expect(`${verb} ${path} ${(await ask(server, verb, path, body)).status}`).toBe(`${verb} ${path} 401`);
  }
});

describe('a proxy on the same machine', () => {
  const marks: Record<string, string>[] = [
    { 'x-forwarded-for': '203.0.113.7' },
    { 'x-forwarded-proto': 'https' },
    { forwarded: 'for=203.0.113.7' },
    { via: '1.1 proxy' },
    { 'x-real-ip': '203.0.113.7' },
    { 'cf-ray': '1' },
  ];
  test.each(marks)('%j: nobody becomes the local owner through it', async (mark) => {
    const headers = { host: `127.0.0.1:${hub.port}`, ...mark };
    expect((await ask(hub, 'GET', '/', { headers })).headers['set-cookie']).toBeUndefined();
  });

  test('a session of the local owner does not count when it comes through a proxy', async () => {
    const host = `127.0.0.1:${hub.port}`;
    const cookie = cookieOf((await ask(hub, 'GET', '/', { headers: { host } })).headers);
    const status = async (more: Record<string, string>): Promise<number> =>
      (await ask(hub, 'GET', '/api/v1/status', { headers: { host, cookie, ...more } })).status;
    expect(await status({})).toBe(200);
    expect(await status({ 'x-forwarded-for': '203.0.113.7' })).toBe(403);
  });

  test('with publicUrl there is no local owner at all, whatever the request looks like', async () => {
    const server = await serve({ publicUrl: 'https://hub.example' });
    for (const host of [`127.0.0.1:${server.port}`, 'localhost', 'hub.example'])
      expect((await ask(server, 'GET', '/', { headers: { host } })).headers['set-cookie']).toBeUndefined();
  });

  test('with publicUrl a session is made by a key, is Secure, and counts for that origin only', async () => {
    const server = await serve({ publicUrl: 'https://hub.example' });
    // The proxy sends on a Host of its own.
    const from = (origin: string): Record<string, string> => ({ host: 'internal:7400', origin });
    const body = { key: hub.keys.read };
    const refused = await ask(server, 'POST', '/api/v1/session', {
      headers: from('https://evil.example'),
      body,
    });
    expect(refused.status).toBe(403);
    const signed = await ask(server, 'POST', '/api/v1/session', {
      headers: from('https://hub.example'),
      body,
    });
    expect(signed.status).toBe(200);
    expect(String(signed.headers['set-cookie'])).toMatch(/; Secure/);
    const cookie = cookieOf(signed.headers);
    const get = async (origin: string): Promise<number> =>
      (await ask(server, 'GET', '/api/v1/status', { headers: { ...from(origin), cookie } })).status;
    expect(await get('https://hub.example')).toBe(200);
    expect(await get('https://evil.example')).toBe(403);
  });
});

test('replicas with one session secret take each other’s sessions; others do not', async () => {
  const [one, two, other] = [await serve({}, 'shared'), await serve({}, 'shared'), await serve({}, 'else')];
  const signed = await ask(one, 'POST', '/api/v1/session', { body: { key: hub.keys.read } });
  const value = cookieOf(signed.headers).split('=').slice(1).join('=');
  const status = async (server: { port: number }): Promise<number> => {
    // All replicas listen on the same port in their containers; here the name follows the port.
    const headers = { host: `127.0.0.1:${server.port}`, cookie: `bac_session_${server.port}=${value}` };
    return (await ask(server, 'GET', '/api/v1/status', { headers })).status;
  };
  expect(await status(one)).toBe(200);
  expect(await status(two)).toBe(200);
  expect(await status(other)).toBe(401);
});

describe('keys that come with a deployment', () => {
  const key = (digit: string): string => `${digit.repeat(12)}.${digit.repeat(43)}`;
  const scraper = { tenant: null, user: 'metrics', roles: [], attributes: {}, scopes: [] };
  const metrics = async (text: string, path = '/metrics'): Promise<number> =>
    (await ask(hub, 'GET', path, { key: text })).status;

  test('any number of processes install the same one; a new one takes the place of the old', async () => {
    await Promise.all([1, 2, 3].map(() => installApiKey(hub.pool, key('a'), 'metrics', scraper)));
    expect(await metrics(key('a'))).toBe(200);
    await installApiKey(hub.pool, key('b'), 'metrics', scraper);
    expect([await metrics(key('a')), await metrics(key('b')), await metrics(hub.keys.read)]).toEqual([
      401, 200, 200,
    ]);
    await expect(installApiKey(hub.pool, key('a'), 'metrics', scraper)).rejects.toMatchObject({
      code: 'KEY_REVOKED',
    });
  });

  test('the key for scraping opens the metrics and no data', async () => {
    await installApiKey(hub.pool, key('c'), 'metrics', scraper);
    expect(await metrics(key('c'))).toBe(200);
    expect(await metrics(key('c'), '/api/v1/status')).toBe(403);
    const query = await ask(hub, 'POST', '/api/v1/sql', { key: key('c'), body: { sql: 'SELECT 1' } });
    expect(query.status).toBe(403);
  });

  test('a secret of another form is refused without being repeated', async () => {
    const secret = 'my-own-password';
    const refused = await installApiKey(hub.pool, secret, 'owner', scraper).catch((error: Error) => error);
    expect(refused).toMatchObject({ code: 'KEY_MALFORMED' });
    expect(JSON.stringify(refused)).not.toContain(secret);
  });

  test('the same id with another secret does not open anything', async () => {
    await installApiKey(hub.pool, key('d'), 'metrics', scraper);
    const twisted = `${'d'.repeat(12)}.${'e'.repeat(43)}`;
    await expect(installApiKey(hub.pool, twisted, 'metrics', scraper)).rejects.toMatchObject({
      code: 'KEY_REVOKED',
    });
    expect(await metrics(twisted)).toBe(401);
  });
});
