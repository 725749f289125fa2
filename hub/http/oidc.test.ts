import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { configSchema } from '#kernel';
import { CLIENT, type TestProvider, testProvider } from '../identity/testing/provider.ts';
import { type Answer, ask, type TestHub, testHub } from './testing.ts';

/** Browsers that sign in at a real OpenID provider. */
const stack = new AsyncDisposableStack();
let hub: TestHub;
let provider: TestProvider;
beforeAll(async () => {
  provider = stack.use(await testProvider());
  const folder = mkdtempSync(join(tmpdir(), 'bac-test-oidc-'));
  stack.defer(() => rmSync(folder, { recursive: true }));
  const secretFile = join(folder, 'secret');
  writeFileSync(secretFile, `${CLIENT.secret}\n`);
  const issuer = {
    issuer: provider.issuer,
    claims: { tenant: 'tenant', roles: 'groups' },
    roleMap: { staff: ['sales'], chiefs: ['admin'] },
  };
  const login = { clientId: CLIENT.id, clientSecretFile: secretFile, scope: 'openid email profile hub' };
  const config = configSchema.parse({
    http: { port: 0 },
    identity: {
      issuers: [{ name: 'works', ...issuer, login: { ...login, label: 'Works', autoProvision: true } }],
    },
  });
  hub = stack.use(await testHub({ http: { config } }));
  await provider.start(`http://127.0.0.1:${hub.port}/api/v1/oidc/callback`);
  await hub.pool.query(
    "INSERT INTO bac.tenants (id, name) VALUES ('aurora', 'Aurora'), ('kestrel', 'Kestrel')",
  );
});
afterAll(() => stack.disposeAsync());
let people = 0;
beforeEach(() => {
  people += 1;
  provider.person = {
    sub: `s${people}`,
    email: `P${people}@aurora.example`,
    name: `Person ${people}`,
    tenant: 'aurora',
    groups: ['staff'],
  };
});

/** A browser: follows redirects, keeps cookies by site, and stops before `until`. */
class Browser {
  readonly cookies = new Map<string, Map<string, string>>();

  async go(url: string, until?: (url: URL) => boolean): Promise<{ url: URL; answer: Answer }> {
    let at = new URL(url);
    for (let hops = 0; hops < 12; hops += 1) {
      const jar = this.cookies.get(at.host) ?? new Map<string, string>();
      this.cookies.set(at.host, jar);
      const answer = await ask({ port: Number(at.port) }, 'GET', `${at.pathname}${at.search}`, {
        headers: { host: at.host, cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      });
      for (const cookie of [answer.headers['set-cookie'] ?? []].flat()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!;
        if (value === '') jar.delete(name!);
        else jar.set(name!, value!);
      }
      const { location } = answer.headers;
      if (typeof location !== 'string') return { url: at, answer };
      at = new URL(location, at);
      if (until?.(at)) return { url: at, answer };
    }
    throw new Error('redirected without end');
  }

  start = (until?: (url: URL) => boolean) => this.go(`${hub.url}/api/v1/oidc/works/start`, until);

  session(): string {
    const jar = this.cookies.get(new URL(hub.url).host)!;
    return `bac_session_${hub.port}=${jar.get(`bac_session_${hub.port}`)}`;
  }

  async whoami(): Promise<Answer> {
    const headers = { host: `127.0.0.1:${hub.port}`, cookie: this.session() };
    return ask(hub, 'GET', '/api/v1/whoami', { headers });
  }
}
const isCallback = (url: URL): boolean => url.pathname === '/api/v1/oidc/callback';
const users = async (email: string) =>
  (await hub.pool.query('SELECT * FROM bac.users WHERE login = $1', [email])).rows;

test('code, PKCE, state and nonce go to the provider; the person comes back with a session and an account', async () => {
  expect((await ask(hub, 'GET', '/api/v1/oidc')).json).toEqual({
    providers: [{ name: 'works', label: 'Works' }],
  });
  const browser = new Browser();
  const { url } = await browser.start(({ pathname }) => pathname === '/auth');
  expect(Object.fromEntries(url.searchParams)).toMatchObject({
    response_type: 'code',
    code_challenge_method: 'S256',
    state: expect.stringMatching(/^[\w-]{43}$/),
    nonce: expect.stringMatching(/^[\w-]{43}$/),
  });
  const { answer } = await browser.go(url.href);
  // Not a redirect: the browser would hold a SameSite=Strict cookie back after one from another site.
  expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('http-equiv="refresh"')]);
  const email = `p${people}@aurora.example`;
  expect((await browser.whoami()).json).toMatchObject({
    user: email,
    tenant: 'aurora',
    roles: ['sales'],
    scopes: ['read', 'write'],
    via: 'session',
  });
  expect(await users(email)).toMatchObject([
    { name: `Person ${people}`, subject: `s${people}`, password: null },
  ]);
  const { json } = await ask(hub, 'GET', '/api/v1/audit?action=sign-in', { key: hub.keys.admin });
  expect(json.entries[0]).toMatchObject({ actor: email, outcome: 'ok', details: { via: 'oidc:works' } });
});

test('the second time it is the same account, with the roles that the provider says then', async () => {
  await new Browser().start();
  provider.person = { ...provider.person, groups: ['chiefs'], email: 'renamed@aurora.example' };
  const again = new Browser();
  await again.start();
  expect((await again.whoami()).json).toMatchObject({ user: `p${people}@aurora.example`, roles: ['admin'] });
  expect(await users('renamed@aurora.example')).toEqual([]);
});

test('disabling the account ends the session and lets it in no more', async () => {
  const browser = new Browser();
  await browser.start();
  const email = `p${people}@aurora.example`;
  await ask(hub, 'POST', `/api/v1/users/${email}/disable`, { key: hub.keys.admin });
  expect((await browser.whoami()).status).toBe(401);
  const { answer } = await new Browser().start();
  expect([answer.status, answer.text]).toEqual([401, expect.stringContaining('Not signed in')]);
});

describe('refused', () => {
  const back = async (change: (url: URL) => void, browser = new Browser()): Promise<Answer> => {
    const { url } = await browser.start(isCallback);
    change(url);
    const { answer } = await browser.go(url.href);
    expect(browser.session()).toContain('=undefined');
    return answer;
  };

  test.each<[string, (url: URL) => void]>([
    ['another state', (url) => url.searchParams.set('state', 'x'.repeat(43))],
    ['no state', (url) => url.searchParams.delete('state')],
    ['an answer of another issuer (mix-up)', (url) => url.searchParams.set('iss', 'https://evil.example')],
    ['a code of the attacker’s own making', (url) => url.searchParams.set('code', 'made-up')],
    ['no code', (url) => url.searchParams.delete('code')],
    ['an error of the provider', (url) => url.searchParams.set('error', '<script>')],
  ])('%s', async (_, change) => {
    const answer = await back(change);
    expect(answer.status).toBe(401);
    expect(answer.text).not.toContain('<script>');
  });

  test('an answer in another browser than the one that asked (login CSRF)', async () => {
    const { url } = await new Browser().start(isCallback);
    const other = new Browser();
    const { answer } = await other.go(url.href);
    expect([answer.status, other.session()]).toEqual([401, expect.stringContaining('=undefined')]);
  });

  test('the same answer twice', async () => {
    const browser = new Browser();
    const { url } = await browser.start(isCallback);
    const jar = new Map(browser.cookies.get(url.host));
    expect((await browser.go(url.href)).answer.status).toBe(200);
    browser.cookies.set(url.host, jar);
    expect((await browser.go(url.href)).answer.status).toBe(401);
  });

  test('whoever has an account here that the provider does not vouch for', async () => {
    await hub.pool.query(
      `INSERT INTO bac.users (id, kind, login, name, tenant) VALUES (gen_random_uuid(), 'person', 'boss@aurora.example', 'b', 'aurora')`,
    );
    provider.person = { ...provider.person, email: 'boss@aurora.example' };
    expect((await new Browser().start()).answer.status).toBe(401);
  });

  test('an unknown tenant, or one changed meanwhile', async () => {
    const { person } = provider;
    provider.person = { ...person, tenant: 'nowhere' };
    expect((await new Browser().start()).answer.status).toBe(401);
    provider.person = person;
    expect((await new Browser().start()).answer.status).toBe(200);
    provider.person = { ...person, tenant: 'kestrel' };
    expect((await new Browser().start()).answer.status).toBe(401);
  });
});

test('an account made for the provider beforehand is bound to it at the first sign-in', async () => {
  const email = `p${people}@aurora.example`;
  const made = await ask(hub, 'POST', '/api/v1/users', {
    key: hub.keys.admin,
    body: { email, tenant: 'aurora', provider: 'works', attributes: { region: 'north' } },
  });
  expect(made.status).toBe(201);
  const password = { password: 'correct horse battery' };
  const set = await ask(hub, 'POST', `/api/v1/users/${email}/password`, {
    key: hub.keys.admin,
    body: password,
  });
  expect(set.json.error.code).toBe('PASSWORD_NOT_HERE');
  const browser = new Browser();
  await browser.start();
  expect((await browser.whoami()).json).toMatchObject({ user: email, attributes: { region: 'north' } });
  expect(await users(email)).toMatchObject([{ id: made.json.id, subject: `s${people}` }]);
});
