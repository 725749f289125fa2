import { isIP } from 'node:net';
import { z } from 'zod';

/** A name of a role, user or claim. */
const word = z.string().regex(/^[A-Za-z0-9_.:@/-]{1,200}$/);
const scope = z.enum(['read', 'write', 'admin']);

/** Asymmetric ones only: a shared secret, or `none`, is never taken. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const;

const isLoopbackUrl = (text: string): boolean =>
  /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(text).hostname);

/** https, or http on this machine (tests, a sidecar). */
const secureUrl = z
  .url({ protocol: /^https?$/ })
  .refine((text) => text.startsWith('https:') || isLoopbackUrl(text), 'give an https address');

const issuerSchema = z
  .strictObject({
    /** Names it in addresses and texts. */
    name: z.string().regex(/^[a-z][a-z0-9-]{0,29}$/, 'use lower-case letters, digits and -'),
    /** Exactly as in the tokens' `iss`. */
    issuer: secureUrl,
    /** The `aud` that tokens sent as `Authorization: Bearer` must carry; absent: such tokens are not taken. */
    audience: z.string().min(1).max(500).optional(),
    /** Where its public keys are; default: as its discovery document says. */
    jwksUri: secureUrl.optional(),
    algorithms: z.array(z.enum(ALGORITHMS)).min(1).default(['RS256', 'PS256', 'ES256', 'EdDSA']),
    clockSkewSeconds: z.coerce.number().int().min(0).max(300).default(60),
    /** Claims by name, nested ones with dots (`realm_access.roles`), or a whole name that has dots in it. */
    claims: z
      .strictObject({
        user: word.default('email'),
        tenant: word.optional(),
        roles: word.optional(),
        scopes: word.optional(),
        /** Attribute by claim. */
        attributes: z.record(word, word).default({}),
      })
      .prefault({}),
    /** Tenant of all its users, where no claim says. */
    tenant: z.string().min(1).max(80).optional(),
    /** Its users belong to no tenant and see all of them. Must be said outright. */
    allTenants: z.boolean().default(false),
    /** Roles here by the provider's role or group. Absent: the claim's words as they are, but owner and admin. */
    roleMap: z.record(z.string().min(1).max(200), z.array(word).max(20)).optional(),
    /** Roles everybody has. */
    roles: z.array(word).max(20).default([]),
    /** What everybody may. */
    scopes: z.array(scope).max(3).default(['read', 'write']),
    /** The most that the scopes claim can give. */
    maxScopes: z.array(scope).max(3).default(['read', 'write']),
    /** For people in browsers: authorization code with PKCE. */
    login: z
      .strictObject({
        clientId: z.string().min(1).max(300),
        /** Absent: a public client. */
        clientSecret: z.string().min(1).max(1000).optional(),
        /** In place of `clientSecret`: a mounted file. */
        clientSecretFile: z.string().min(1).max(1000).optional(),
        /** On the button. */
        label: z.string().min(1).max(60).optional(),
        scope: z.string().min(1).max(300).default('openid email profile'),
        /** Makes the account at the first sign-in; otherwise it has to be there (`bac users add`). */
        autoProvision: z.boolean().default(false),
      })
      .optional(),
  })
  .refine(({ tenant, claims, allTenants }) => tenant ?? claims.tenant ?? allTenants, {
    message: 'say whose tenant its users are in: tenant, claims.tenant, or allTenants: true',
    path: ['tenant'],
  });

/** An address, a range, or a word for ranges that proxies stand in. */
export const proxySchema = z.string().refine((text) => {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return true;
  const [address = '', bits, more] = text.split('/');
  const family = isIP(address);
  const most = family === 4 ? 32 : 128;
  return (
    family !== 0 &&
    more === undefined &&
    (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most))
  );
}, 'give addresses, ranges like 10.0.0.0/8, or loopback, linklocal, uniquelocal');

export type IssuerConfig = z.infer<typeof issuerSchema>;

/** How people and programs come in. */
export const identitySchema = z
  .strictObject({
    sessions: z
      .strictObject({
        /** A session nobody uses ends. */
        idleMinutes: z.coerce.number().min(1).max(10_080).default(120),
        /** However much it is used. */
        maxHours: z.coerce.number().min(0.1).max(720).default(12),
      })
      .prefault({}),
    issuers: z
      .array(issuerSchema)
      .max(20)
      .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'names are used twice')
      .refine(
        (all) => new Set(all.map(({ issuer }) => issuer)).size === all.length,
        'issuers are there twice',
      )
      .default([]),
  })
  .prefault({});

const bucket = (perSecond: number, burst: number) =>
  z
    .strictObject({
      perSecond: z.coerce.number().min(0.1).max(1_000_000).default(perSecond),
      burst: z.coerce.number().min(1).max(1_000_000).default(burst),
    })
    .prefault({});

/** Requests a second, and how many at once, before 429. Counted by each process of the api for itself. */
export const limitsSchema = z
  .strictObject({
    principal: bucket(100, 500),
    address: bucket(100, 500),
    /** From this machine, where the hub is bound to loopback and no proxy stands in between: either. */
    local: bucket(10_000, 20_000),
  })
  .prefault({});

export const auditSchema = z
  .strictObject({
    /** Days that entries are kept. */
    keepDays: z.coerce.number().min(1).max(3660).default(365),
  })
  .prefault({});
