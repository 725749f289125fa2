import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { JWTPayload } from 'jose';
import type { Pool } from 'pg';
import { audit, HubError, type IssuerConfig, type Principal, userError } from '#kernel';
import type { Authenticator } from './authenticator.ts';
import { assertKnown, claimAt, principalOfClaims } from './claims.ts';
import { cookieName, cookieOf, setCookie } from './cookies.ts';
import { fetchJson, providerError } from './fetch-json.ts';
import { signInRefused } from './refusals.ts';
import { type Issuer, verifiedClaims } from './tokens.ts';
import { addUser, changeUser, principalOfUser, USER_COLUMNS, type UserRow } from './users.ts';

const MINUTES = 10;
const PATH = '/api/v1/oidc';

export interface OidcOptions {
  readonly pool: Pool;
  readonly issuers: readonly Issuer[];
  readonly authenticator: Authenticator;
  readonly publicUrl?: string | undefined;
}

export interface Oidc {
  /** Providers people can sign in with, for buttons. */
  readonly providers: readonly { readonly name: string; readonly label: string }[];
  /** Sends the browser to the provider: authorization code with PKCE (S256), state and nonce. */
  start(request: FastifyRequest, reply: FastifyReply, name: string): Promise<string>;
  /**
   * The way back: exchanges the code, verifies the ID token and opens a session. Errors (user):
   * SIGN_IN_REFUSED, UNAUTHORISED; PROVIDER_UNREACHABLE (transient).
   */
  finish(request: FastifyRequest, reply: FastifyReply, query: OidcAnswer): Promise<void>;
}

export interface OidcAnswer {
  readonly state?: string | undefined;
  readonly code?: string | undefined;
  readonly iss?: string | undefined;
  readonly error?: string | undefined;
}

const random = (): string => randomBytes(32).toString('base64url');
const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url');

/** Browser sign-in at OpenID providers (OpenID Connect Core 1.0, RFC 7636, RFC 9207). */
export function createOidc({ pool, issuers, authenticator, publicUrl }: OidcOptions): Oidc {
  const withLogin = issuers.filter(({ config }) => config.login !== undefined);
  const redirectUri = (request: FastifyRequest): string =>
    `${(publicUrl ?? `${request.protocol}://${request.headers.host}`).replace(/\/$/, '')}${PATH}/callback`;
  const cookie = (request: FastifyRequest, reply: FastifyReply, value: string): void =>
    setCookie(reply, {
      name: cookieName(request, 'oidc'),
      value,
      maxAgeSeconds: value === '' ? 0 : MINUTES * 60,
      secure: authenticator.isSecure(request),
      sameSite: 'Lax',
      path: PATH,
    });

  const signIn = async (issuer: Issuer, claims: JWTPayload & { sub: string }): Promise<UserRow> => {
    const { config } = issuer;
    const principal = principalOfClaims(claims, config);
    await assertKnown(pool, principal, config.issuer, claims.sub);
    const user =
      (await bound(pool, config, claims.sub, principal)) ??
      (await provisioned(pool, config, claims, principal));
    if (user.tenant !== principal.tenant)
      throw signInRefused('The account belongs to another tenant.', 'Ask an administrator.');
    return withRolesOf(pool, config, user, principal);
  };

  return {
    providers: withLogin.map(({ config }) => ({
      name: config.name,
      label: config.login!.label ?? config.name,
    })),
    async start(request, reply, name) {
      const issuer = withLogin.find(({ config }) => config.name === name);
      if (!issuer) throw userError('PROVIDER_NOT_FOUND', 'There is no such provider.', 'Reload the page.');
      const { authorization_endpoint: endpoint } = await issuer.provider.discovery();
      if (endpoint === undefined) throw providerError('it has no authorization endpoint');
      const [state, nonce, verifier] = [random(), random(), random()];
      await pool.query(
        `INSERT INTO bac.oidc_logins (state, issuer, nonce, verifier, expires_at)
         VALUES ($1, $2, $3, $4, now() + ${MINUTES} * interval '1 minute')`,
        [sha256(state), name, nonce, verifier],
      );
      cookie(request, reply, state);
      const target = new URL(endpoint);
      for (const [key, value] of Object.entries({
        response_type: 'code',
        client_id: issuer.config.login!.clientId,
        redirect_uri: redirectUri(request),
        scope: issuer.config.login!.scope,
        state,
        nonce,
        code_challenge: sha256(verifier),
        code_challenge_method: 'S256',
      }))
        target.searchParams.set(key, value);
      return target.href;
    },
    async finish(request, reply, query) {
      const own = cookieOf(request.headers.cookie, cookieName(request, 'oidc'));
      cookie(request, reply, '');
      // The state must be of this very browser: nobody can be signed in to somebody else's account.
      if (query.state === undefined || own !== query.state) throw expired();
      const { rows } = await pool.query<{ issuer: string; nonce: string; verifier: string }>(
        'DELETE FROM bac.oidc_logins WHERE state = $1 AND expires_at > now() RETURNING issuer, nonce, verifier',
        [sha256(query.state)],
      );
      const login = rows[0];
      const issuer = withLogin.find((one) => one.config.name === login?.issuer);
      if (!login || !issuer) throw expired();
      if (query.iss !== undefined && query.iss !== issuer.config.issuer) throw expired();
      if (query.error !== undefined || query.code === undefined)
        throw signInRefused('The provider did not sign you in.', 'Try again.');
      const claims = await exchange(issuer, query.code, login, redirectUri(request));
      const user = await signIn(issuer, claims);
      await authenticator.open(request, reply, user, `oidc:${issuer.config.name}`);
      await audit(pool, {
        principal: { tenant: user.tenant, user: user.login },
        surface: 'http',
        action: 'sign-in',
        outcome: 'ok',
        requestId: request.id,
        address: request.ip,
        details: { via: `oidc:${issuer.config.name}` },
      });
    },
  };
}

const expired = () =>
  signInRefused('This sign-in is over, or was not begun in this browser.', 'Begin again.');

/** Code for tokens; the claims of the ID token, completed from the userinfo endpoint where it says too little. */
async function exchange(
  issuer: Issuer,
  code: string,
  login: { readonly nonce: string; readonly verifier: string },
  redirectUri: string,
): Promise<JWTPayload & { sub: string }> {
  const { clientId } = issuer.config.login!;
  const clientSecret = secretOf(issuer.config);
  const discovery = await issuer.provider.discovery();
  if (discovery.token_endpoint === undefined) throw providerError('it has no token endpoint');
  const methods = discovery.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  const basic = clientSecret !== undefined && methods.includes('client_secret_basic');
  const form = new URLSearchParams({
    grant_type: 'authorization_code',
    code,
    redirect_uri: redirectUri,
    code_verifier: login.verifier,
    ...(basic ? {} : { client_id: clientId }),
    ...(clientSecret === undefined || basic ? {} : { client_secret: clientSecret }),
  });
  const { ok, body } = await fetchJson(discovery.token_endpoint, {
    method: 'POST',
    body: form,
    headers: basic ? { authorization: `Basic ${credentials(clientId, clientSecret)}` } : {},
  });
  if (!ok || typeof body.id_token !== 'string')
    throw signInRefused('The provider did not take the code.', 'Begin again.');
  const claims = await verifiedClaims(body.id_token, issuer, clientId);
  const parties = Array.isArray(claims.aud) ? claims.aud.length : 1;
  if (claims.nonce !== login.nonce || (parties > 1 && claims.azp !== clientId)) throw expired();
  const { userinfo_endpoint: more } = discovery;
  if (
    claimAt(claims, issuer.config.claims.user) !== undefined ||
    !more ||
    typeof body.access_token !== 'string'
  )
    return claims;
  const info = await fetchJson(more, { headers: { authorization: `Bearer ${body.access_token}` } });
  return info.ok && info.body.sub === claims.sub ? { ...info.body, ...claims } : claims;
}

/** PROVIDER_SECRET_MISSING (fatal) if its file cannot be read. */
function secretOf({ name, login }: IssuerConfig): string | undefined {
  if (login?.clientSecretFile === undefined) return login?.clientSecret;
  try {
    return readFileSync(login.clientSecretFile, 'utf8').trim();
  } catch (cause) {
    throw new HubError('PROVIDER_SECRET_MISSING', `The client secret of provider "${name}" cannot be read.`, {
      next: 'Look at identity.issuers[].login.clientSecretFile.',
      cause,
    });
  }
}

/** RFC 6749, 2.3.1: both parts form-encoded. */
const credentials = (id: string, secret: string): string => {
  const encode = (text: string): string => new URLSearchParams({ x: text }).toString().slice(2);
  return Buffer.from(`${encode(id)}:${encode(secret)}`).toString('base64');
};

/** The account of this subject; one that waits for its first sign-in at this provider is bound to it. */
async function bound(
  pool: Pool,
  { issuer }: IssuerConfig,
  subject: string,
  principal: Principal,
): Promise<UserRow | null> {
  await pool.query(
    `UPDATE bac.users SET subject = $2, updated_at = now()
     WHERE issuer = $1 AND subject IS NULL AND login = $3 AND tenant IS NOT DISTINCT FROM $4`,
    [issuer, subject, principal.user, principal.tenant],
  );
  const { rows } = await pool.query<UserRow>(
    `SELECT ${USER_COLUMNS} FROM bac.users u WHERE u.issuer = $1 AND u.subject = $2 AND u.disabled_at IS NULL`,
    [issuer, subject],
  );
  return rows[0] ?? null;
}

async function provisioned(
  pool: Pool,
  issuer: IssuerConfig,
  claims: JWTPayload & { sub: string },
  principal: Principal,
): Promise<UserRow> {
  if (!issuer.login!.autoProvision)
    throw signInRefused('You have no account here yet.', 'Ask an administrator for one.');
  const { user: login, ...rights } = principal;
  const name = typeof claims.name === 'string' ? claims.name.slice(0, 200) : login;
  const subject = { issuer: issuer.issuer, subject: claims.sub };
  await addUser(pool, { kind: 'person', login, name, ...rights, subject });
  await audit(pool, {
    principal,
    surface: 'http',
    action: 'user.create',
    entity: 'user',
    record: login,
    outcome: 'ok',
    details: { via: `oidc:${issuer.name}` },
  });
  return (await bound(pool, issuer, claims.sub, principal))!;
}

/** Where a claim says the roles, the provider is asked anew at each sign-in: who leaves a group loses its role. */
async function withRolesOf(
  pool: Pool,
  { claims, issuer }: IssuerConfig,
  user: UserRow,
  principal: Principal,
): Promise<UserRow> {
  if (claims.roles === undefined) return user;
  const { roles } = principalOfUser(user);
  const same =
    roles.length === principal.roles.length && roles.every((role) => principal.roles.includes(role));
  if (same) return user;
  await changeUser(pool, user, { roles: principal.roles });
  const { rows } = await pool.query<UserRow>(
    `SELECT ${USER_COLUMNS} FROM bac.users u WHERE u.id = $1 AND u.issuer = $2`,
    [user.id, issuer],
  );
  return rows[0]!;
}
