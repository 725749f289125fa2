import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configSchema, silentLogger } from '#kernel';
import { eventually } from '#tests/eventually';
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
  http: { host?: string; publicUrl?: string; trustedProxies?: string[] },
  sessionSecret: string | null = null,
  limits: object = {},
): Promise<{ port: number }> {
  const server = createHttpServer({
    ...hub,
    config: {
      ...hub.config,
      http: { host: '127.0.0.1', port: 0, ...http },
      limits: configSchema.parse({ limits }).limits,
    },
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

describe('limits', () => {
  const few = { perSecond: 0.1, burst: 3 };
  const many = { perSecond: 1000, burst: 1000 };
  const publicUrl = 'https://hub.example';
  const answers = async (
    server: { port: number },
    times: number,
    headers: Record<string, string>,
    path = '/',
  ) => {
    const all = [];
    for (let n = 0; n < times; n += 1) all.push(await ask(server, 'GET', path, { headers }));
    return all;
  };
  const limited = (all: readonly { status: number }[]): number =>
    all.filter(({ status }) => status === 429).length;

  test('by address: 429 with Retry-After and a code; others go on, and so does health', async () => {
    const server = await serve({ publicUrl }, null, { address: few, principal: many });
    const from = (address: string, path?: string) => answers(server, 4, { 'x-forwarded-for': address }, path);
    const all = await from('203.0.113.7');
    expect(all.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
    expect(all[3]!.json.error).toMatchObject({ code: 'RATE_LIMITED', details: { retryAfterSeconds: 10 } });
    expect(all[3]!.headers['retry-after']).toBe('10');
    expect(limited(await from('203.0.113.8'))).toBe(1);
    for (const path of ['/healthz', '/readyz', '/metrics'])
      expect(limited(await from('203.0.113.7', path))).toBe(0);
    // One customer's addresses are one visitor.
    const six = [1, 2, 3, 4].map((n) => answers(server, 1, { 'x-forwarded-for': `2001:db8::${n}` }));
    expect(limited((await Promise.all(six)).flat())).toBe(1);
  });

  test('what a visitor says of his address is believed of known proxies only', async () => {
    const server = await serve({ publicUrl, trustedProxies: ['192.0.2.1'] }, null, { address: few });
    const all = await Promise.all(
      [1, 2, 3, 4].map((n) => answers(server, 1, { 'x-forwarded-for': `203.0.113.${n}` })),
    );
    expect(limited(all.flat())).toBe(1);
  });

  test('by principal, whatever address he comes from and whichever of his keys he uses', async () => {
    const server = await serve({ publicUrl }, null, { address: many, principal: few });
    const ofBob = await Promise.all(
      [1, 2].map(async () => {
        const made = await ask(hub, 'POST', '/api/v1/keys', { key: hub.keys.admin, body: { user: 'bob' } });
        return made.json.key as string;
      }),
    );
    const ask1 = (key: string, n: number) =>
      ask(server, 'GET', '/api/v1/whoami', { key, headers: { 'x-forwarded-for': `203.0.113.${n}` } });
    const all = [];
    for (const n of [1, 2, 3, 4]) all.push(await ask1(ofBob[n % 2]!, n));
    expect(all.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
    expect((await ask1(hub.keys.read, 9)).status).toBe(200);
  });

  test('whoever works on the hub’s own machine is hardly limited', async () => {
    const server = await serve({}, null, { address: few, principal: few });
    expect(limited(await answers(server, 10, {}))).toBe(0);
    // Through a proxy nobody is.
    expect(limited(await answers(server, 4, { via: '1.1 proxy' }))).toBe(1);
  });
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
    // As if another process had done it: seen within a second.
    await eventually(async () => (await metrics(key('a'))) === 401 || undefined, 5000);
    expect([await metrics(key('b')), await metrics(hub.keys.read)]).toEqual([200, 200]);
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
