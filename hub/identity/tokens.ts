import { decodeJwt, type JWTPayload, errors as joseErrors, jwtVerify } from 'jose';
import type { Pool } from 'pg';
import { HubError, type IssuerConfig, type Principal } from '#kernel';
import { assertKnown, principalOfClaims } from './claims.ts';
import { createProvider, type Provider, type ProviderOptions } from './provider.ts';
import { unauthorised } from './refusals.ts';

/** Three parts in base64url: a signed token, not an API key. */
export const isToken = (text: string): boolean =>
  text.length <= 16_384 && /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/.test(text);

export interface Issuer {
  readonly config: IssuerConfig;
  readonly provider: Provider;
}

/** The configured issuers, each with its keys. */
export const createIssuers = (
  configs: readonly IssuerConfig[],
  options: ProviderOptions = {},
): readonly Issuer[] => configs.map((config) => ({ config, provider: createProvider(config, options) }));

/**
 * The claims of a token of this issuer, made for `audience`: signature by one of the issuer's present
 * keys with an allowed asymmetric algorithm, `iss`, `aud`, `exp`, `nbf`, `sub`. Errors: UNAUTHORISED
 * (user) with `details.reason`; PROVIDER_UNREACHABLE (transient).
 */
export async function verifiedClaims(
  text: string,
  { config, provider }: Issuer,
  audience: string,
): Promise<JWTPayload & { sub: string }> {
  try {
    const { payload } = await jwtVerify(text, provider.key, {
      issuer: config.issuer,
      audience,
      algorithms: [...config.algorithms],
      clockTolerance: config.clockSkewSeconds,
      requiredClaims: ['exp', 'sub'],
    });
    return payload as JWTPayload & { sub: string };
  } catch (thrown) {
    if (thrown instanceof HubError) throw thrown;
    throw unauthorised('The token is not valid.', { reason: reasonOf(thrown) });
  }
}

function reasonOf(thrown: unknown): string {
  if (thrown instanceof joseErrors.JWTExpired) return 'expired';
  if (thrown instanceof joseErrors.JWTClaimValidationFailed) return thrown.claim;
  if (thrown instanceof joseErrors.JOSEAlgNotAllowed) return 'algorithm';
  if (thrown instanceof joseErrors.JWKSNoMatchingKey) return 'key';
  return 'signature';
}

/**
 * The principal of a token sent as `Authorization: Bearer`. Its issuer must be configured with an
 * audience, and the token be made for that. Errors: UNAUTHORISED (user), PROVIDER_UNREACHABLE (transient).
 */
export async function principalOfToken(
  pool: Pool,
  issuers: readonly Issuer[],
  text: string,
): Promise<Principal> {
  const issuer = issuers.find(({ config }) => config.issuer === issuerOf(text));
  if (issuer?.config.audience === undefined)
    throw unauthorised('The token is not of an issuer this hub knows.', { reason: 'iss' });
  const claims = await verifiedClaims(text, issuer, issuer.config.audience);
  const principal = principalOfClaims(claims, issuer.config);
  await assertKnown(pool, principal, issuer.config.issuer, claims.sub);
  return principal;
}

/** What the token says of its issuer, before anything is believed of it. */
function issuerOf(text: string): string | undefined {
  try {
    return decodeJwt(text).iss;
  } catch {
    return undefined; // not a token: refused like one of an unknown issuer
  }
}
