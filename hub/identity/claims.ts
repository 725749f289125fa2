import type { JWTPayload } from 'jose';
import type { Pool } from 'pg';
import type { IssuerConfig, Principal, Scope } from '#kernel';
import { unauthorised } from './refusals.ts';
import { loginOf } from './users.ts';

type Claims = JWTPayload & Readonly<Record<string, unknown>>;

const WORD = /^[A-Za-z0-9_.:@/-]{1,200}$/;
const MOST_ROLES = 50;
/** Given by the role map or by hand only, never because a claim happens to say so. */
const RESERVED = ['owner', 'admin', 'system'];

/** A claim by its name, or by the path that its dots make (`realm_access.roles`). */
export function claimAt(claims: Claims, name: string | undefined): unknown {
  if (name === undefined) return undefined;
  if (Object.hasOwn(claims, name)) return claims[name];
  let at: unknown = claims;
  for (const part of name.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<string, unknown>)[part];
  }
  return at;
}

/** A list of strings, or one text of words with spaces between. */
const words = (value: unknown): string[] =>
  (typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : []).filter(
    (word): word is string => typeof word === 'string' && word !== '',
  );

/**
 * The principal that verified claims stand for, by the issuer's mapping. Errors: UNAUTHORISED (user)
 * with `details.reason` when the user or the tenant is missing or not usable.
 */
export function principalOfClaims(claims: Claims, config: IssuerConfig): Principal {
  return {
    user: userOf(claims, config),
    tenant: tenantOfClaims(claims, config),
    roles: rolesOf(claims, config),
    attributes: attributesOf(claims, config),
    scopes: scopesOf(claims, config),
  };
}

function userOf(claims: Claims, { claims: names }: IssuerConfig): string {
  const user = claimAt(claims, names.user);
  if (typeof user !== 'string' || user.length > 200 || !/^[^\s\p{C}]+$/u.test(user) || /^system:/i.test(user))
    throw unauthorised(`The token does not name its user in "${names.user}".`, { reason: 'user' });
  if (names.user === 'email' && claims.email_verified === false)
    throw unauthorised('The e-mail address has not been verified by the provider.', { reason: 'user' });
  return loginOf(user);
}

function tenantOfClaims(claims: Claims, config: IssuerConfig): string | null {
  const { tenant } = config.claims;
  const named = claimAt(claims, tenant);
  if (typeof named === 'string' && named !== '') return named;
  if (config.tenant !== undefined) return config.tenant;
  if (config.allTenants) return null;
  throw unauthorised(`The token does not name its tenant in "${tenant}".`, { reason: 'tenant' });
}

function rolesOf(claims: Claims, config: IssuerConfig): string[] {
  const given = words(claimAt(claims, config.claims.roles));
  const map = config.roleMap;
  const mapped = map
    ? given.flatMap((role) => (Object.hasOwn(map, role) ? map[role]! : []))
    : given.filter((role) => WORD.test(role) && !RESERVED.includes(role));
  return [...new Set([...config.roles, ...mapped])].filter((role) => role !== 'system').slice(0, MOST_ROLES);
}

function attributesOf(claims: Claims, config: IssuerConfig): Principal['attributes'] {
  const entries = Object.entries(config.claims.attributes).map(
    ([attribute, claim]) => [attribute, claimAt(claims, claim)] as const,
  );
  return Object.fromEntries(
    entries.filter(
      (entry): entry is [string, string | number | boolean] =>
        ['number', 'boolean'].includes(typeof entry[1]) ||
        (typeof entry[1] === 'string' && entry[1].length <= 500),
    ),
  );
}

function scopesOf(claims: Claims, config: IssuerConfig): Scope[] {
  const claimed = words(claimAt(claims, config.claims.scopes));
  return (['read', 'write', 'admin'] as const).filter(
    (scope) => config.scopes.includes(scope) || (claimed.includes(scope) && config.maxScopes.includes(scope)),
  );
}

/**
 * Holds a principal of a provider against what the hub knows: its tenant must exist, its account, if
 * it has one, must not be disabled, and its name must not be an account that somebody else vouches
 * for. Errors: UNAUTHORISED (user).
 */
export async function assertKnown(
  pool: Pool,
  principal: Principal,
  issuer: string,
  subject: string,
): Promise<void> {
  const { rows } = await pool.query<{ tenant: boolean; taken: boolean; disabled: boolean }>(
    `SELECT $1::text IS NULL OR EXISTS (SELECT 1 FROM bac.tenants WHERE id = $1) AS tenant,
       EXISTS (SELECT 1 FROM bac.users WHERE login = $4
         AND (issuer IS DISTINCT FROM $2 OR (subject IS NOT NULL AND subject <> $3))) AS taken,
       EXISTS (SELECT 1 FROM bac.users WHERE disabled_at IS NOT NULL
         AND (login = $4 OR (issuer = $2 AND subject = $3))) AS disabled`,
    [principal.tenant, issuer, subject, principal.user],
  );
  const found = rows[0]!;
  if (!found.tenant) throw unauthorised('The token’s tenant is not known here.', { reason: 'tenant' });
  if (found.taken)
    throw unauthorised('The token’s user has an account here that this provider does not vouch for.', {
      reason: 'user',
    });
  if (found.disabled) throw unauthorised('The account is disabled.', { reason: 'disabled' });
}
