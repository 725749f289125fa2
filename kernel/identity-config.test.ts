import { describe, expect, test } from 'vitest';
import { configSchema, publicConfig } from './config.ts';

const issuer = { name: 'works', issuer: 'https://login.example', tenant: 'aurora' };
const parse = (...issuers: object[]) => configSchema.safeParse({ identity: { issuers } });

describe('issuers', () => {
  test('the least that must be said, and what follows', () => {
    expect(parse(issuer).data?.identity.issuers[0]).toMatchObject({
      algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      claims: { user: 'email', attributes: {} },
      scopes: ['read', 'write'],
      maxScopes: ['read', 'write'],
      clockSkewSeconds: 60,
    });
  });

  test.each<[string, object[]]>([
    ['without https', [{ ...issuer, issuer: 'http://login.example' }]],
    ['with keys fetched without https', [{ ...issuer, jwksUri: 'http://login.example/keys' }]],
    ['with a shared secret as algorithm', [{ ...issuer, algorithms: ['HS256'] }]],
    ['with none as algorithm', [{ ...issuer, algorithms: ['none'] }]],
    ['whose users’ tenant is not said', [{ ...issuer, tenant: undefined }]],
    ['of a name that cannot be in an address', [{ ...issuer, name: 'a/b' }]],
    ['named twice', [issuer, { ...issuer, issuer: 'https://other.example' }]],
    ['there twice', [issuer, { ...issuer, name: 'other' }]],
    ['with a key that does not exist', [{ ...issuer, audiences: ['x'] }]],
  ])('one %s is refused', (_, issuers) => expect(parse(...issuers).success).toBe(false));

  test('on this machine http will do; all tenants must be said outright', () => {
    expect(parse({ ...issuer, issuer: 'http://127.0.0.1:4000' }).success).toBe(true);
    expect(parse({ ...issuer, tenant: undefined, allTenants: true }).success).toBe(true);
    expect(parse({ ...issuer, tenant: undefined, claims: { tenant: 'org' } }).success).toBe(true);
  });

  test('client secrets are hidden when the configuration is shown', () => {
    const { data } = parse({ ...issuer, login: { clientId: 'hub', clientSecret: 'deep secret' } });
    const shown = JSON.stringify(publicConfig(data!));
    expect(shown).toContain('https://login.example');
    expect(shown).not.toContain('deep secret');
  });
});

test.each<[string, boolean]>([
  ['loopback', true],
  ['10.0.0.0/8', true],
  ['192.0.2.7', true],
  ['2001:db8::/32', true],
  ['10.0.0.0/33', false],
  ['10.0.0.0/8/8', false],
  ['anywhere', false],
  ['', false],
])('a trusted proxy "%s": %s', (proxy, good) => {
  expect(configSchema.safeParse({ http: { trustedProxies: [proxy] } }).success).toBe(good);
});
