import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { Provider } from 'oidc-provider';

/** What the provider says of whoever signs in next. */
export interface Person {
  readonly sub: string;
  readonly [claim: string]: unknown;
}

export const CLIENT = { id: 'hub', secret: 'a secret of the client &%+' } as const;
export const AUDIENCE = 'https://hub.example/api';

/** A real OpenID provider on a port of this machine, whose people sign in by themselves. */
export interface TestProvider extends AsyncDisposable {
  readonly issuer: string;
  /** Who is there; the next sign-in is this person's. */
  person: Person;
  /** Times that the public keys were asked for. */
  readonly keyRequests: () => number;
  /** Answers nothing any more but errors, until called again. */
  broken: boolean;
  /** Begins with the client's address of return, or anew with other keys. */
  start(redirectUri: string): Promise<void>;
  /** An access token (JWT) of the client itself, issued by the provider. */
  accessToken(audience?: string): Promise<string>;
  /** A token signed with the provider's present key. */
  sign(claims: object, header?: object, key?: CryptoKey | Uint8Array): Promise<string>;
  readonly publicKey: () => JWK;
}

export async function testProvider(): Promise<TestProvider> {
  let handle: (request: IncomingMessage, response: ServerResponse) => void = (_, response) =>
    void response.writeHead(503).end('{}');
  let keyRequests = 0;
  let generation = 0;
  let current: { key: CryptoKey; kid: string; publicKey: JWK };
  const server = createServer((request, response) => {
    if (request.url?.startsWith('/jwks')) keyRequests += 1;
    if (self.broken) response.writeHead(500).end('{}');
    else handle(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const issuer = `http://127.0.0.1:${port}`;

  const self: TestProvider = {
    issuer,
    person: { sub: 'nobody' },
    broken: false,
    keyRequests: () => keyRequests,
    publicKey: () => current.publicKey,
    async start(redirectUri) {
      generation += 1;
      const kid = `key-${generation}`;
      const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
      current = { key: privateKey, kid, publicKey: { ...(await exportJWK(publicKey)), kid, alg: 'RS256' } };
      const signing = { ...(await exportJWK(privateKey)), kid, alg: 'RS256', use: 'sig' };
      handle = handlerOf(self, signing, redirectUri);
    },
    async accessToken(audience = AUDIENCE) {
      const answer = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${btoa([CLIENT.id, CLIENT.secret].map(formEncoded).join(':'))}`,
        },
        body: new URLSearchParams({ grant_type: 'client_credentials', resource: audience, scope: 'api' }),
      });
      return ((await answer.json()) as { access_token: string }).access_token;
    },
    sign: (claims, header = {}, key = current.key) =>
      new SignJWT({ ...claims }).setProtectedHeader({ alg: 'RS256', kid: current.kid, ...header }).sign(key),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
  return self;
}

const formEncoded = (text: string): string => new URLSearchParams({ x: text }).toString().slice(2);

function handlerOf(
  self: TestProvider,
  signing: JWK,
  redirectUri: string,
): (request: IncomingMessage, response: ServerResponse) => void {
  const provider = new Provider(self.issuer, {
    jwks: { keys: [signing] },
    cookies: { keys: ['of a test'] },
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code', 'client_credentials'],
        response_types: ['code'],
      },
    ],
    pkce: { required: () => true },
    claims: {
      openid: ['sub'],
      email: ['email', 'email_verified'],
      profile: ['name'],
      hub: ['tenant', 'groups'],
    },
    scopes: ['openid', 'email', 'profile', 'hub'],
    findAccount: (_: unknown, accountId: string) => ({
      accountId,
      claims: async () => ({ ...self.person, sub: accountId }),
    }),
    loadExistingGrant: async ({ oidc }: { oidc: { session: { accountId: string } } }) => {
      const grant = new provider.Grant({ clientId: CLIENT.id, accountId: oidc.session.accountId });
      grant.addOIDCScope('openid email profile hub');
      await grant.save();
      return grant;
    },
    interactions: { url: (_: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    extraTokenClaims: () => ({ ...self.person, sub: undefined }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_: unknown, audience: string) => ({
          scope: 'api',
          audience,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 600,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  });
  const answer = provider.callback();
  return (request, response) => {
    if (!request.url?.startsWith('/interaction/')) return answer(request, response);
    provider
      .interactionFinished(request, response, { login: { accountId: self.person.sub } })
      .catch((error: Error) => response.writeHead(500).end(error.message));
  };
}
