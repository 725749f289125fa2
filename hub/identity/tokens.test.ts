import { generateKeyPair, UnsecuredJWT } from 'jose';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { configSchema, type IssuerConfig, migrateState } from '#kernel';
import { testPostgres } from '#tests/postgres';
import { addTenant } from './tenants.ts';
import { AUDIENCE, type TestProvider, testProvider } from './testing/provider.ts';
import { createIssuers, principalOfToken } from './tokens.ts';
import { addUser, changeUser, findUser } from './users.ts';

/** Tokens as they come in `Authorization: Bearer`, against a real provider. */
const stack = new AsyncDisposableStack();
let pool: pg.Pool;
let provider: TestProvider;
beforeAll(async () => {
  const server = stack.use(await testPostgres());
  pool = new pg.Pool({ connectionString: server.url });
  pool.on('error', () => {}); // its server is stopped while it ends
  stack.defer(() => pool.end());
  await migrateState(pool);
  await addTenant(pool, { id: 'aurora', name: 'Aurora' });
  provider = stack.use(await testProvider());
  await provider.start('http://127.0.0.1/callback');
});
afterAll(() => stack.disposeAsync());
beforeEach(() => {
  provider.person = { sub: 'x', email: 'ann@aurora.example', tenant: 'aurora', groups: ['sales', 'owner'] };
});

const issuerConfig = (more: object = {}): IssuerConfig =>
  configSchema.parse({
    identity: {
      issuers: [
        {
          name: 'test',
          issuer: provider.issuer,
          audience: AUDIENCE,
          claims: {
            tenant: 'tenant',
            roles: 'groups',
            scopes: 'scope',
            attributes: { region: 'place.region' },
          },
          ...more,
        },
      ],
    },
  }).identity.issuers[0]!;

const accept = (text: string, issuers = createIssuers([issuerConfig()], { cooldownMs: 0 })) =>
  principalOfToken(pool, issuers, text);
const refused = (text: string, issuers?: Parameters<typeof accept>[1]): Promise<unknown> =>
  accept(text, issuers).then(
    (principal) => principal,
    (error) => error.details.reason ?? error.code,
  );

const now = (): number => Math.floor(Date.now() / 1000);
const claims = (more: object = {}): object => ({
  iss: provider.issuer,
  aud: AUDIENCE,
  sub: 'x',
  exp: now() + 300,
  email: 'ann@aurora.example',
  tenant: 'aurora',
  ...more,
});

test('a token of the provider is a principal, by the mapping', async () => {
  expect(await accept(await provider.accessToken())).toEqual({
    user: 'ann@aurora.example',
    tenant: 'aurora',
    roles: ['sales'], // owner is nobody's to claim
    attributes: {},
    scopes: ['read', 'write'],
  });
});

describe('refused', () => {
  test.each<[string, () => Promise<string>, string]>([
    ['expired', () => provider.sign(claims({ exp: now() - 61 })), 'expired'],
    ['without expiry', () => provider.sign(claims({ exp: undefined })), 'exp'],
    ['not valid yet', () => provider.sign(claims({ nbf: now() + 120 })), 'nbf'],
    ['for another audience', () => provider.accessToken('https://other.example'), 'aud'],
    ['of another issuer', () => provider.sign(claims({ iss: 'https://evil.example' })), 'iss'],
    ['without issuer', () => provider.sign(claims({ iss: undefined })), 'iss'],
    ['without subject', () => provider.sign(claims({ sub: undefined })), 'sub'],
    ['without user', () => provider.sign(claims({ email: undefined })), 'user'],
    ['of the hub itself', () => provider.sign(claims({ email: 'system:api' })), 'user'],
    ['with an unverified address', () => provider.sign(claims({ email_verified: false })), 'user'],
    ['without tenant', () => provider.sign(claims({ tenant: undefined })), 'tenant'],
    ['of an unknown tenant', () => provider.sign(claims({ tenant: 'nowhere' })), 'tenant'],
    ['unsigned', async () => new UnsecuredJWT({ ...claims() }).encode(), 'algorithm'],
    [
      'signed with the public key as if it were a shared secret',
      () =>
        provider.sign(
          claims(),
          { alg: 'HS256' },
          new TextEncoder().encode(JSON.stringify(provider.publicKey())),
        ),
      'algorithm',
    ],
    [
      'signed with another key under the same id',
      async () => provider.sign(claims(), {}, (await generateKeyPair('RS256')).privateKey),
      'signature',
    ],
    ['with an unknown key id', () => provider.sign(claims(), { kid: 'made-up' }), 'key'],
    [
      'tampered with',
      async () => {
        const [head, , signature] = (await provider.sign(claims())).split('.');
        const body = Buffer.from(JSON.stringify(claims({ tenant: 'aurora', scope: 'admin' })));
        return `${head}.${body.toString('base64url')}.${signature}`;
      },
      'signature',
    ],
  ])('%s', async (_, make, reason) => {
    expect(await refused(await make())).toBe(reason);
  });

  test('clocks may be a minute apart, no more', async () => {
    expect(await accept(await provider.sign(claims({ exp: now() - 50 })))).toMatchObject({
      tenant: 'aurora',
    });
  });

  test('without an audience of its own an issuer’s tokens are not taken', async () => {
    const issuers = createIssuers([issuerConfig({ audience: undefined })]);
    expect(await refused(await provider.sign(claims()), issuers)).toBe('iss');
  });
});

test('the scopes claim gives what the configuration allows, and no more', async () => {
  const token = await provider.sign(claims({ scope: 'openid admin write' }));
  expect((await accept(token)).scopes).toEqual(['read', 'write']);
  const generous = createIssuers([issuerConfig({ scopes: ['read'], maxScopes: ['read', 'admin'] })]);
  expect((await accept(token, generous)).scopes).toEqual(['read', 'admin']);
});

test('roles by map, attributes from nested claims', async () => {
  const mapped = createIssuers([
    issuerConfig({ roleMap: { chiefs: ['owner'], staff: ['sales'] }, roles: ['all'] }),
  ]);
  const token = await provider.sign(
    claims({ groups: ['chiefs', 'staff', 'constructor'], place: { region: 'north' } }),
  );
  expect(await accept(token, mapped)).toMatchObject({
    roles: ['all', 'owner', 'sales'],
    attributes: { region: 'north' },
  });
});

test('an account that is disabled here, or that somebody else vouches for, is not let in', async () => {
  const rights = { tenant: 'aurora', roles: [], attributes: {}, scopes: [] };
  await addUser(pool, { kind: 'person', login: 'local@aurora.example', name: 'l', ...rights });
  expect(await refused(await provider.sign(claims({ email: 'local@aurora.example' })))).toBe('user');
  const subject = { issuer: provider.issuer, subject: 'gone' };
  await addUser(pool, { kind: 'person', login: 'gone@aurora.example', name: 'g', ...rights, subject });
  const token = await provider.sign(claims({ sub: 'gone', email: 'gone@aurora.example' }));
  expect(await accept(token)).toMatchObject({ user: 'gone@aurora.example' });
  await changeUser(pool, (await findUser(pool, 'gone@aurora.example'))!, { disabled: true });
  expect(await refused(token)).toBe('disabled');
  expect(await refused(await provider.sign(claims({ sub: 'gone', email: 'new@aurora.example' })))).toBe(
    'disabled',
  );
});

describe('keys of the provider', () => {
  test('rotated ones are picked up, those it no longer has are refused', async () => {
    const issuers = createIssuers([issuerConfig()], { cooldownMs: 0 });
    const old = await provider.accessToken();
    expect(await accept(old, issuers)).toMatchObject({ tenant: 'aurora' });
    await provider.start('http://127.0.0.1/callback');
    expect(await accept(await provider.accessToken(), issuers)).toMatchObject({ tenant: 'aurora' });
    expect(await refused(old, issuers)).toBe('key');
  });

  test('made-up key ids do not make the hub hammer the provider', async () => {
    const issuers = createIssuers([issuerConfig()]);
    await accept(await provider.accessToken(), issuers);
    const before = provider.keyRequests();
    const made = await Promise.all(
      Array.from({ length: 50 }, (_, n) => provider.sign(claims(), { kid: `made-up-${n}` })),
    );
    expect(new Set(await Promise.all(made.map((token) => refused(token, issuers))))).toEqual(
      new Set(['key']),
    );
    expect(provider.keyRequests() - before).toBeLessThanOrEqual(1);
  });

  test('a provider that is down is asked once in a while, and what is known of it still counts', async () => {
    const issuers = createIssuers([issuerConfig()], { maxAgeMs: 0 });
    const cold = createIssuers([issuerConfig()]);
    const token = await provider.accessToken();
    await accept(token, issuers);
    provider.broken = true;
    const before = provider.keyRequests();
    for (let n = 0; n < 20; n += 1) expect(await accept(token, issuers)).toMatchObject({ tenant: 'aurora' });
    for (let n = 0; n < 20; n += 1) expect(await refused(token, cold)).toBe('PROVIDER_UNREACHABLE');
    provider.broken = false;
    expect(provider.keyRequests() - before).toBeLessThanOrEqual(1);
  });
});
