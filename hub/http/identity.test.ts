import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '#tests/eventually';
import { hashPassword } from '../identity/passwords.ts';
import { createSeal } from '../identity/seal.ts';
import { sealSecondFactors } from '../identity/second-factor.ts';
import { fromBase32, matchingStep, stepAt, totp } from '../identity/totp.ts';
import { addUser, type NewUser } from '../identity/users.ts';
import { type Answer, ask, type TestHub, testHub } from './testing.ts';

/** People, sessions, keys, tenants and the trail, over HTTP. */
let hub: TestHub;
beforeAll(async () => {
  hub = await testHub();
  for (const id of ['aurora', 'kestrel'])
    expect((await admin('POST', '/tenants', { id, name: id })).status).toBe(201);
});
afterAll(async () => {
  await hub?.[Symbol.asyncDispose]();
});

// All come from one address, whose failures are counted too.
beforeEach(() => hub.pool.query('DELETE FROM bac.sign_in_failures'));

const PASSWORD = 'correct horse battery';
const admin = (method: string, path: string, body?: unknown): Promise<Answer> =>
  ask(hub, method, `/api/v1${path}`, { key: hub.keys.admin, body });

let made = 0;
let hash: Promise<string>;
/** An account; hashing its password each time would take most of the time of these tests. */
async function person(rights: Partial<NewUser> = {}): Promise<string> {
  made += 1;
  const email = `p${made}@aurora.example`;
  hash ??= hashPassword(PASSWORD);
  const { tenant = 'aurora', roles = [], attributes = {}, scopes = ['read', 'write'] } = rights;
  const user = { kind: 'person', login: email, name: email, tenant, roles, attributes, scopes } as const;
  await addUser(hub.pool, user);
  await hub.pool.query('UPDATE bac.users SET password = $2 WHERE login = $1', [email, await hash]);
  return email;
}

const here = (): Record<string, string> => ({
  host: `127.0.0.1:${hub.port}`,
  origin: `http://127.0.0.1:${hub.port}`,
});
const signIn = (body: object): Promise<Answer> =>
  ask(hub, 'POST', '/api/v1/session', { headers: here(), body });
const cookieOf = ({ headers }: Answer): string => String(headers['set-cookie']).split(';')[0]!;

/** Calls as the browser that holds this cookie. */
type Browser = (method: string, path: string, body?: unknown) => Promise<Answer>;
const browser =
  (cookie: string): Browser =>
  (method, path, body) =>
    ask(hub, method, `/api/v1${path}`, { headers: { ...here(), cookie }, body });
async function enter(email: string, password = PASSWORD): Promise<Browser> {
  const answer = await signIn({ email, password });
  expect([answer.status, answer.json.error]).toEqual([200, undefined]);
  return browser(cookieOf(answer));
}
const code = ({ status, json }: Answer): [number, string | undefined] => [status, json?.error?.code];

describe('sessions of people', () => {
  test('signing in gives the account’s principal; signing out ends the session in the database too', async () => {
    const email = await person({ roles: ['sales'], attributes: { region: 'north' } });
    const answer = await signIn({ email: ` ${email.toUpperCase()} `, password: PASSWORD });
    expect(String(answer.headers['set-cookie'])).toMatch(/HttpOnly; SameSite=Strict; Max-Age=43200$/);
    const cookie = cookieOf(answer);
    const { rows } = await hub.pool.query('SELECT * FROM bac.sessions');
    expect(JSON.stringify(rows)).not.toContain(cookie.split('=')[1]);
    const as = browser(cookie);
    expect((await as('GET', '/whoami')).json).toEqual({
      user: email,
      tenant: 'aurora',
      roles: ['sales'],
      attributes: { region: 'north' },
      scopes: ['read', 'write'],
      via: 'session',
    });
    expect((await as('DELETE', '/session')).status).toBe(200);
    expect((await as('GET', '/whoami')).status).toBe(401);
  });

  test('a wrong password, an unknown account, a disabled one and a service account are one answer', async () => {
    const email = await person();
    const gone = await person();
    await admin('POST', `/users/${gone}/disable`);
    await admin('POST', '/service-accounts', { name: 'robot', tenant: 'aurora' });
    const answers = await Promise.all(
      [
        { email, password: 'wrong wrong wrong' },
        { email: 'nobody@aurora.example', password: PASSWORD },
        { email: gone, password: PASSWORD },
        { email: 'robot', password: PASSWORD },
      ].map(signIn),
    );
    for (const answer of answers) {
      expect(answer.status).toBe(401);
      expect(answer.text).toBe(answers[0]!.text);
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
  });

  test('a cookie of a user keeps the rules of all cookies: own origin, own host', async () => {
    const cookie = cookieOf(await signIn({ email: await person(), password: PASSWORD }));
    const ask1 = (method: string, headers: Record<string, string>): Promise<Answer> =>
      ask(hub, method, '/api/v1/me/sessions', { headers: { cookie, ...headers } });
    const host = `127.0.0.1:${hub.port}`;
    expect(code(await ask1('DELETE', { host }))).toEqual([403, 'ORIGIN_REFUSED']);
    expect(code(await ask1('DELETE', { host, origin: 'http://evil.example' }))).toEqual([
      403,
      'ORIGIN_REFUSED',
    ]);
    expect(code(await ask1('GET', { host: 'evil.example' }))).toEqual([403, 'ORIGIN_REFUSED']);
    expect(code(await ask1('GET', { host, 'sec-fetch-site': 'cross-site' }))).toEqual([
      403,
      'ORIGIN_REFUSED',
    ]);
    expect((await ask1('GET', { host })).status).toBe(200);
    const foreign = { host, origin: 'http://evil.example' };
    const body = { email: await person(), password: PASSWORD };
    expect(code(await ask(hub, 'POST', '/api/v1/session', { headers: foreign, body }))).toEqual([
      403,
      'ORIGIN_REFUSED',
    ]);
  });

  test('own sessions can be listed and ended, one or all', async () => {
    const email = await person();
    const [one, two, three] = [await enter(email), await enter(email), await enter(email)];
    const { sessions } = (await one('GET', '/me/sessions')).json;
    expect(sessions.map(({ current, via }: { current: boolean; via: string }) => [current, via])).toEqual([
      [false, 'password'],
      [false, 'password'],
      [true, 'password'],
    ]);
    expect((await one('DELETE', `/me/sessions/${sessions[0].id}`)).json).toEqual({ ended: 1 });
    expect((await three('GET', '/whoami')).status).toBe(401);
    const other = await enter(await person());
    expect((await other('DELETE', `/me/sessions/${sessions[1].id}`)).status).toBe(404);
    expect((await one('DELETE', '/me/sessions')).json).toEqual({ ended: 2 });
    for (const as of [one, two]) expect((await as('GET', '/whoami')).status).toBe(401);
    expect((await other('GET', '/whoami')).status).toBe(200);
  });

  test.each<[string, (email: string, as: Browser) => Promise<Answer>]>([
    ['another password', (email) => admin('POST', `/users/${email}/password`, { password: `${PASSWORD} 2` })],
    ['other roles', (email) => admin('POST', `/users/${email}/rights`, { roles: ['other'] })],
    ['disabling', (email) => admin('POST', `/users/${email}/disable`)],
    ['signing out everywhere', (email) => admin('POST', `/users/${email}/end-sessions`)],
    [
      'one’s own new password',
      (_, as) => as('POST', '/me/password', { current: PASSWORD, next: 'a new one, also long' }),
    ],
  ])('%s ends them', async (_, change) => {
    const email = await person();
    const [one, two] = [await enter(email), await enter(email)];
    expect((await change(email, one)).status).toBe(200);
    for (const as of [one, two]) expect((await as('GET', '/whoami')).status).toBe(401);
  });

  test('idle for too long, or past the longest life, is over', async () => {
    const email = await person();
    const [idle, old, live] = [await enter(email), await enter(email), await enter(email)];
    const ids = (await live('GET', '/me/sessions')).json.sessions.map(({ id }: { id: string }) => id);
    await hub.pool.query("UPDATE bac.sessions SET seen_at = now() - interval '121 minutes' WHERE id = $1", [
      ids[2],
    ]);
    await hub.pool.query('UPDATE bac.sessions SET expires_at = now() WHERE id = $1', [ids[1]]);
    expect([(await idle('GET', '/whoami')).status, (await old('GET', '/whoami')).status]).toEqual([401, 401]);
    expect((await live('GET', '/whoami')).status).toBe(200);
  });

  test('a stream that is open ends with its session', async () => {
    const email = await person({ tenant: null });
    const cookie = cookieOf(await signIn({ email, password: PASSWORD }));
    const stream = await fetch(`${hub.url}/api/v1/status/stream`, { headers: { cookie } });
    const reader = stream.body!.getReader();
    expect((await reader.read()).done).toBe(false);
    await admin('POST', `/users/${email}/end-sessions`);
    while (!(await reader.read()).done);
  });

  test('on a loopback hub the page leaves a user signed in, and only without a session makes an owner', async () => {
    const cookie = cookieOf(await signIn({ email: await person(), password: PASSWORD }));
    const { host } = here() as { host: string };
    expect((await ask(hub, 'GET', '/', { headers: { host, cookie } })).headers['set-cookie']).toBeUndefined();
    await browser(cookie)('DELETE', '/session');
    expect((await ask(hub, 'GET', '/', { headers: { host, cookie } })).headers['set-cookie']).toBeDefined();
  });
});

describe('guessing', () => {
  test('after five wrong ones an account is held back, also for the right password, and unknown ones alike', async () => {
    for (const email of [await person(), 'ghost@aurora.example']) {
      const wrong = await Promise.all(
        Array.from({ length: 12 }, () => signIn({ email, password: 'wrong wrong wrong' })),
      );
      const codes = wrong.map((answer) => code(answer)[1]);
      expect(codes.filter((one) => one === 'SIGN_IN_REFUSED').length).toBeLessThanOrEqual(6);
      const held = await signIn({ email, password: PASSWORD });
      expect(code(held)).toEqual([429, 'SIGN_IN_THROTTLED']);
      expect(Number(held.headers['retry-after'])).toBeGreaterThan(0);
    }
  });

  test('a success takes the failures back', async () => {
    const email = await person();
    for (let round = 0; round < 3; round += 1) {
      for (let wrong = 0; wrong < 4; wrong += 1)
        expect((await signIn({ email, password: 'wrong wrong wrong' })).status).toBe(401);
      await enter(email);
    }
  });
});

describe('the second factor', () => {
  const digits = (secret: string, step: number): string => totp(fromBase32(secret), step);

  test('enrolled, asked for, no code twice, recovery codes once, turned off', async () => {
    const email = await person();
    const as = await enter(email);
    expect(code(await as('POST', '/me/totp', { password: 'wrong wrong wrong' }))).toEqual([
      401,
      'SIGN_IN_REFUSED',
    ]);
    const { secret, uri } = (await as('POST', '/me/totp', { password: PASSWORD })).json;
    expect(uri).toContain(`otpauth://totp/BAC%20Hub:${encodeURIComponent(email)}?secret=${secret}`);
    await enter(email); // not confirmed yet: the password is enough
    expect(code(await as('POST', '/me/totp/confirm', { code: '000000' }))[0]).toBe(401);
    const now = stepAt(Date.now());
    const { recoveryCodes } = (await as('POST', '/me/totp/confirm', { code: digits(secret, now) })).json;
    expect(new Set(recoveryCodes).size).toBe(10);
    const { rows } = await hub.pool.query('SELECT hash FROM bac.recovery_codes');
    expect(JSON.stringify(rows)).not.toContain(recoveryCodes[0]);

    const give = (given?: string): Promise<Answer> => signIn({ email, password: PASSWORD, code: given });
    expect(code(await give())).toEqual([401, 'CODE_REQUIRED']);
    // The code that confirmed it is used up; the next one is good once, however many try at once.
    expect(code(await give(digits(secret, now)))).toEqual([401, 'CODE_WRONG']);
    const race = await Promise.all([1, 2].map(() => give(digits(secret, now + 1))));
    expect(race.map(({ status }) => status).sort()).toEqual([200, 401]);
    expect(code(await give(digits(secret, now)))).toEqual([401, 'CODE_WRONG']);
    expect((await give(recoveryCodes[0].toLowerCase())).status).toBe(200);
    expect(code(await give(recoveryCodes[0]))).toEqual([401, 'CODE_WRONG']);
    expect((await as('POST', '/me/totp/disable', { password: PASSWORD })).status).toBe(200);
    await enter(email);
  });

  test('its secret is sealed in the database; one stored before is sealed when the hub starts', async () => {
    const email = await person();
    const as = await enter(email);
    const { secret } = (await as('POST', '/me/totp', { password: PASSWORD })).json;
    const stored = async () =>
      (await hub.pool.query('SELECT id, totp_secret AS secret FROM bac.users WHERE login = $1', [email]))
        .rows[0];
    expect((await stored()).secret).toMatch(/^sealed1:/);
    const { id } = await stored();
    for (const before of [secret, createSeal(['an older one']).close(secret, id)]) {
      await hub.pool.query('UPDATE bac.users SET totp_secret = $2 WHERE id = $1', [id, before]);
      expect(await sealSecondFactors(hub.pool, createSeal(['of this test', 'an older one']))).toBe(1);
      expect((await stored()).secret).toMatch(/^sealed1:/);
      expect((await stored()).secret).not.toBe(before);
    }
    const good = digits(secret, stepAt(Date.now()));
    expect((await as('POST', '/me/totp/confirm', { code: good })).status).toBe(200);
    await admin('POST', `/users/${email}/reset-totp`);
  });

  test('a code is not the password: without that there is nothing to be learned', async () => {
    const email = await person();
    const as = await enter(email);
    const { secret } = (await as('POST', '/me/totp', { password: PASSWORD })).json;
    const good = digits(secret, stepAt(Date.now()));
    expect(matchingStep(secret, good, Date.now())).not.toBeNull();
    await as('POST', '/me/totp/confirm', { code: good });
    const wrong = await signIn({ email, password: 'wrong wrong wrong', code: '123456' });
    expect(code(wrong)).toEqual([401, 'SIGN_IN_REFUSED']);
    await admin('POST', `/users/${email}/reset-totp`);
    await enter(email);
  });
});

describe('nobody gives or takes more than he may', () => {
  const tenantAdmin = async (): Promise<Browser> => enter(await person({ roles: ['admin'] }));

  test('an administrator of a tenant sees and changes its accounts, and no others', async () => {
    const as = await tenantAdmin();
    await admin('POST', '/users', { email: 'k@kestrel.example', password: PASSWORD, tenant: 'kestrel' });
    await admin('POST', '/users', { email: 'op@hub.example', password: PASSWORD, scopes: ['admin'] });
    const { users } = (await as('GET', '/users?limit=500')).json;
    expect(new Set(users.map(({ tenant }: { tenant: string }) => tenant))).toEqual(new Set(['aurora']));
    expect(JSON.stringify(users)).not.toContain('scrypt');
    expect((await as('GET', '/users?tenant=kestrel')).json.users).toEqual([]);
    for (const other of ['k@kestrel.example', 'op@hub.example', 'none@x.example']) {
      expect(code(await as('POST', `/users/${other}/disable`))).toEqual([404, 'USER_NOT_FOUND']);
      expect(code(await as('POST', '/keys', { owner: other }))).toEqual([404, 'USER_NOT_FOUND']);
    }
    expect((await as('GET', '/tenants')).json.tenants.map(({ id }: { id: string }) => id)).toEqual([
      'aurora',
    ]);
  });

  test.each<[string, object, string]>([
    ['another tenant', { tenant: 'kestrel' }, 'TENANT_DENIED'],
    ['no tenant', { tenant: null }, 'TENANT_DENIED'],
    ['the hub’s administration', { scopes: ['admin'] }, 'FORBIDDEN'],
    ['the owner’s role', { roles: ['owner'] }, 'FORBIDDEN'],
    ['the hub’s own role', { roles: ['system'] }, 'FORBIDDEN'],
  ])(
    'an administrator of a tenant cannot give %s, to a user, service account or key',
    async (_, rights, refusal) => {
      const as = await tenantAdmin();
      const user = await person();
      const tries = [
        await as('POST', '/users', { email: 'x@aurora.example', password: PASSWORD, ...rights }),
        await as('POST', '/service-accounts', { name: 'x', ...rights }),
        await as('POST', '/keys', { user: 'x', ...rights }),
        ...('tenant' in rights ? [] : [await as('POST', `/users/${user}/rights`, rights)]),
      ];
      for (const answer of tries) expect(code(answer)).toEqual([403, refusal]);
    },
  );

  test('he cannot take over an account of his tenant that may more than he', async () => {
    const as = await tenantAdmin();
    for (const rights of [{ roles: ['owner'] }, { scopes: ['admin'] }] as const) {
      const above = await person(rights);
      expect(code(await as('POST', `/users/${above}/password`, { password: PASSWORD }))).toEqual([
        403,
        'FORBIDDEN',
      ]);
      expect(code(await as('POST', `/users/${above}/reset-totp`))).toEqual([403, 'FORBIDDEN']);
      expect(code(await as('POST', '/keys', { owner: above }))).toEqual([403, 'FORBIDDEN']);
    }
  });

  test('who is no administrator sees to nobody', async () => {
    const as = await enter(await person({ roles: ['sales'] }));
    for (const [method, path] of [
      ['GET', '/users'],
      ['GET', '/keys'],
      ['GET', '/audit'],
      ['POST', '/keys'],
    ] as const)
      expect(code(await as(method, path, method === 'POST' ? { user: 'x' } : undefined))).toEqual([
        403,
        'FORBIDDEN',
      ]);
  });

  test('a weak password, an account twice, an unknown tenant are refused', async () => {
    const email = await person();
    const add = (more: object): Promise<Answer> =>
      admin('POST', '/users', { email: 'new@aurora.example', password: PASSWORD, ...more });
    expect(code(await add({ password: 'short' }))).toEqual([400, 'PASSWORD_WEAK']);
    expect(code(await add({ password: 'aaaaaaaaaaaaaaaa' }))).toEqual([400, 'PASSWORD_WEAK']);
    expect(code(await add({ email }))).toEqual([409, 'USER_EXISTS']);
    expect(code(await add({ tenant: 'nowhere' }))).toEqual([404, 'TENANT_NOT_FOUND']);
    expect(code(await add({ password: undefined }))).toEqual([400, 'PASSWORD_MISSING']);
    const answer = await add({});
    expect([answer.status, answer.json]).toEqual([
      201,
      { id: expect.any(String), user: 'new@aurora.example' },
    ]);
    await enter('new@aurora.example');
  });
});

describe('keys', () => {
  const whoami = (key: string): Promise<Answer> => ask(hub, 'GET', '/api/v1/whoami', { key });

  test('a service account’s key carries its rights, follows its changes, and ends with it', async () => {
    await admin('POST', '/service-accounts', {
      name: 'nightly',
      tenant: 'aurora',
      roles: ['import', 'sales'],
    });
    const { key } = (await admin('POST', '/keys', { owner: 'nightly', name: 'n' })).json;
    expect((await whoami(key)).json).toMatchObject({
      user: 'nightly',
      tenant: 'aurora',
      roles: ['import', 'sales'],
      via: 'key',
    });
    await admin('POST', '/users/nightly/rights', { roles: ['sales'], scopes: ['read'] });
    expect((await whoami(key)).json).toMatchObject({ roles: ['sales'], scopes: ['read'] });
    const session = await ask(hub, 'POST', '/api/v1/session', { headers: here(), body: { key } });
    const as = browser(cookieOf(session));
    expect((await as('GET', '/whoami')).json.user).toBe('nightly');
    await admin('POST', '/users/nightly/disable');
    expect([(await whoami(key)).status, (await as('GET', '/whoami')).status]).toEqual([401, 401]);
    await admin('POST', '/users/nightly/enable');
    expect((await whoami(key)).status).toBe(200);
  });

  test('a key ends when it expires; its last use is known', async () => {
    const { id, key } = (
      await admin('POST', '/keys', { user: 'brief', expiresAt: new Date(Date.now() + 60_000).toISOString() })
    ).json;
    expect((await whoami(key)).status).toBe(200);
    const entry = (await admin('GET', '/keys')).json.keys.find((one: { id: string }) => one.id === id);
    expect(entry).toMatchObject({ madeBy: 'admin', lastUsedAt: expect.any(String) });
    await hub.pool.query('UPDATE bac.api_keys SET expires_at = now() WHERE id = $1', [id]);
    // As if another process had done it: seen within a second.
    await eventually(async () => (await whoami(key)).status === 401 || undefined, 5000);
    const past = { user: 'x', expiresAt: '2020-01-01T00:00:00Z' };
    expect((await admin('POST', '/keys', past)).status).toBe(400);
  });
});

describe('a principal bound to a tenant', () => {
  test('gets none of the surfaces that show rows of all tenants', async () => {
    const roles = ['owner'];
    const { key } = (
      await admin('POST', '/keys', { user: 'bi', tenant: 'aurora', roles, scopes: ['read', 'write'] })
    ).json;
    const { paths } = (await ask(hub, 'GET', '/api/v1/openapi.json', { key })).json;
    const refused: string[] = [];
    for (const [path, verbs] of Object.entries(paths as Record<string, object>)) {
      for (const verb of Object.keys(verbs)) {
        const answer = await ask(hub, verb.toUpperCase(), path.replace(/\{[^}]+\}/g, 'x'), {
          key,
          ...(verb === 'post' ? { body: {} } : {}),
        });
        if (answer.json?.error?.code === 'TENANT_BOUND') refused.push(`${verb.toUpperCase()} ${path}`);
      }
    }
    expect(refused).toEqual(
      expect.arrayContaining([
        'POST /api/v1/sql',
        'GET /api/v1/status',
        'GET /api/v1/status/stream',
        'GET /api/v1/sources',
        'GET /api/v1/tables/{source}/{schema}/{table}',
        'GET /api/v1/deadletters',
        'POST /api/v1/deadletters/replay',
        'POST /api/v1/verify',
        'POST /api/v1/doctor',
      ]),
    );
    expect(code(await ask(hub, 'GET', '/metrics', { key }))).toEqual([403, 'TENANT_BOUND']);
    const sql = await ask(hub, 'POST', '/api/v1/sql', { key, body: { sql: 'SELECT 1' } });
    expect(code(sql)).toEqual([403, 'TENANT_BOUND']);
  });

  test('signs in with such a key, and is as bound', async () => {
    const { key } = (await admin('POST', '/keys', { user: 'bi', tenant: 'kestrel' })).json;
    const as = browser(cookieOf(await signIn({ key })));
    expect(code(await as('POST', '/sql', { sql: 'SELECT 1' }))).toEqual([403, 'TENANT_BOUND']);
    const operator = { key: hub.keys.read, body: { sql: 'SELECT 1' } };
    expect((await ask(hub, 'POST', '/api/v1/sql', operator)).status).toBe(200);
  });
});

test('an operator names the tenant a request is about; who has one names no other', async () => {
  const { key } = (await admin('POST', '/keys', { user: 'bi', tenant: 'kestrel' })).json;
  const as = async (who: string, tenant?: string): Promise<unknown> => {
    const headers: Record<string, string> = tenant === undefined ? {} : { 'x-bac-tenant': tenant };
    const answer = await ask(hub, 'GET', '/api/v1/whoami', { key: who, headers });
    return answer.status === 200 ? answer.json.tenant : code(answer);
  };
  const { admin: operator } = hub.keys;
  expect(await as(operator)).toBeNull();
  expect(await as(operator, 'aurora')).toBe('aurora');
  for (const none of ['nowhere', '', "a' OR 1=1", 'x'.repeat(5000), 'aurora, kestrel'])
    expect(await as(operator, none)).toEqual([404, 'TENANT_NOT_FOUND']);
  expect([await as(key), await as(key, 'kestrel')]).toEqual(['kestrel', 'kestrel']);
  for (const other of ['aurora', 'nowhere', '']) expect(await as(key, other)).toEqual([403, 'TENANT_DENIED']);
});

describe('the audit trail', () => {
  test('has sign-ins, failed ones, changes of users and keys, and what was denied', async () => {
    const email = await person();
    await admin('POST', `/users/${email}/rights`, { roles: ['sales'] });
    await signIn({ email, password: 'wrong wrong wrong' });
    const as = await enter(email);
    await as('POST', '/sql', { sql: 'SELECT 1' });
    const id = (await admin('POST', '/keys', { owner: email })).json.id;
    const { entries } = (await admin('GET', '/audit?limit=500')).json;
    const found = entries
      .filter(
        ({ actor, record }: { actor: string; record: string }) =>
          [actor, record].includes(email) || record === id,
      )
      .map((entry: Record<string, string>) => [entry.action, entry.actor, entry.outcome, entry.code]);
    expect(found.reverse()).toEqual([
      ['user.rights', 'admin', 'ok', null],
      ['sign-in', email, 'failed', 'SIGN_IN_REFUSED'],
      ['sign-in', email, 'ok', null],
      ['POST /api/v1/sql', email, 'denied', 'TENANT_BOUND'],
      ['key.create', 'admin', 'ok', null],
    ]);
    expect(JSON.stringify(entries)).not.toContain(PASSWORD);
    expect(JSON.stringify(entries)).not.toContain('wrong wrong');
  });

  test('page by page without gap or repeat; of one’s own tenant only', async () => {
    const as = await enter(await person({ roles: ['admin'] }));
    const read = async (call: (path: string) => Promise<Answer>) => {
      const seen: { id: string; tenant: string | null }[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        const query = new URLSearchParams({ limit: '7', ...(cursor ? { cursor } : {}), until });
        const { json } = await call(`/audit?${query}`);
        seen.push(...json.entries);
        cursor = json.next;
      }
      return seen;
    };
    const until = new Date().toISOString();
    const all = await read((path) => admin('GET', path));
    const own = await read((path) => as('GET', path));
    const { rows } = await hub.pool.query<{ id: string }>('SELECT id FROM bac.audit WHERE at < $1', [until]);
    expect(all.map(({ id }) => id).sort()).toEqual(rows.map(({ id }) => id).sort());
    expect(new Set(own.map(({ tenant }) => tenant))).toEqual(new Set(['aurora']));
    expect(own.length).toBe(all.filter(({ tenant }) => tenant === 'aurora').length);
    expect((await as('GET', '/audit?tenant=kestrel')).json.entries).toEqual([]);
  });
});
