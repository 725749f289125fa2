import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Pool } from 'pg';
import { type Principal, systemPrincipal, toHubError } from '#kernel';
import { cookieName, cookieOf, setCookie } from './cookies.ts';
import { principalOfKey, principalOfKeyId } from './keys.ts';
import { cameThroughProxy, isLoopback, isLoopbackHost, sameOrigin } from './origin.ts';
import { forbiddenOrigin, unauthorised } from './refusals.ts';
import { type Remembered, RememberedKeys } from './remembered.ts';
import { endSession, openSession, SESSION_TOKEN, type SessionLife, sessionOf } from './sessions.ts';
import { isToken } from './tokens.ts';
import type { UserRow } from './users.ts';

/** Who sent a request, and by what it was known. */
export interface Identified {
  readonly principal: Principal;
  readonly via: 'key' | 'token' | 'session' | 'local';
  /** A user's session. */
  readonly session?: { readonly id: string; readonly userId: string };
}

/** What a connection said last, and who that is. */
interface Said {
  readonly header: string;
  readonly kept: Remembered;
  readonly identified: Identified;
}

const IDENTIFIED = Symbol('identified');
type Asked = FastifyRequest & { [IDENTIFIED]?: Identified | Promise<Identified | null> };

/** Who may come in, and how. */
export interface Authenticator {
  /** The request's principal; null = none given. Throws (user) on credentials that are no good. */
  principal(request: FastifyRequest): Promise<Principal | null>;
  /** The same where it takes no look-up, as on a connection that says again what it said a moment ago; else null. */
  known(request: FastifyRequest): Principal | null;
  /** The same with how it is known. Asked once for each request, however often it is called. */
  identify(request: FastifyRequest): Promise<Identified | null>;
  /** Asked again for an answer that goes on: whether the request would still be let in, as the same user with the same rights. */
  stillGood(request: FastifyRequest): Promise<boolean>;
  /** The request as if it had come with this key or token, whatever it says itself. */
  bearing(request: FastifyRequest, token: string): FastifyRequest;
  /** The request comes from this machine, and the hub lets nobody else in without a key. */
  isLocal(request: FastifyRequest): boolean;
  /** Called for the web page: a loopback visitor becomes the local owner without typing a key. */
  welcome(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** Exchanges an API key for a session cookie; null if the key is no good. */
  login(request: FastifyRequest, reply: FastifyReply, key: string): Promise<Principal | null>;
  /** Opens a session for a user who has proved who he is. Ends the one of the request's own cookie. */
  open(request: FastifyRequest, reply: FastifyReply, user: UserRow, via: string): Promise<void>;
  /** ORIGIN_REFUSED (user) for a sign-in that another page sends. */
  assertOwnPage(request: FastifyRequest): void;
  logout(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** Keys or rights may have changed: what this process remembers of them is looked up anew. */
  forget(): void;
  /** Cookies only over https. */
  isSecure(request: FastifyRequest): boolean;
}

const SIGNED_MS = 12 * 60 * 60 * 1000;

/** What a signed cookie says; a user's session is in the database instead (sessions.ts). */
interface Signed {
  readonly until: number;
  /** The API key it was opened with; null for the local owner. */
  readonly key: string | null;
}

const localOwner: Principal = { ...systemPrincipal('local'), user: 'local-owner', roles: ['owner'] };

export interface AuthenticatorOptions {
  readonly pool: Pool;
  /** Where the server listens. */
  readonly host: string;
  /** Address people open where a proxy stands in front; the only Host and Origin a session then counts for. */
  readonly publicUrl?: string | undefined;
  /** Signs the local owner's and keys' sessions; null: one that lives as long as this process. */
  readonly secret: string | null;
  readonly life: SessionLife;
  /** Verifies tokens of configured issuers. */
  readonly token: (text: string) => Promise<Principal>;
}

/**
 * API keys (`Authorization: Bearer id.secret`), tokens of OpenID providers, and session cookies. The
 * session of the local owner or of a key is a signed cookie; a user's is a row, so that it can be ended.
 *
 * A cookie counts only if the request comes from the hub's own page: when the server is bound to
 * loopback its Host must be a loopback name (a rebound DNS name is not), a request that changes
 * something must carry an Origin equal to its Host, and one the browser calls cross-site is refused.
 *
 * Visitors become the local owner without a key only where the server is bound to loopback and
 * nothing stands in front of it: behind a proxy on the same machine everyone comes from loopback, so
 * with `publicUrl`, or once a request shows the mark of a proxy, nobody does.
 */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { pool, life } = options;
  const secret = options.secret === null ? randomBytes(32) : Buffer.from(options.secret);
  const site = options.publicUrl === undefined ? null : new URL(options.publicUrl);
  const local = site === null && isLoopback(options.host);
  const sign = (payload: string): string => createHmac('sha256', secret).update(payload).digest('base64url');
  const isSecure = (request: FastifyRequest): boolean =>
    request.protocol === 'https' || site?.protocol === 'https:';

  const issue = (request: FastifyRequest, reply: FastifyReply, value: string, seconds: number): void =>
    setCookie(reply, {
      name: cookieName(request),
      value,
      maxAgeSeconds: seconds,
      secure: isSecure(request),
    });
  const issueSigned = (request: FastifyRequest, reply: FastifyReply, key: string | null): void => {
    const signed: Signed = { until: Date.now() + SIGNED_MS, key };
    const payload = Buffer.from(JSON.stringify(signed)).toString('base64url');
    issue(request, reply, `${payload}.${sign(payload)}`, SIGNED_MS / 1000);
  };
  const ownCookie = (request: FastifyRequest): string =>
    cookieOf(request.headers.cookie, cookieName(request)) ?? '';

  // A proxy may send on a Host of its own; the page's origin is what people open.
  const ownHost = (request: FastifyRequest): string | undefined => site?.host ?? request.headers.host;

  const signedOf = (cookie: string): Signed | null => {
    const [payload, mac] = cookie.split('.');
    if (!payload || !mac) return null;
    const expected = Buffer.from(sign(payload));
    const given = Buffer.from(mac);
    if (expected.length !== given.length || !timingSafeEqual(expected, given)) return null;
    const session = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Signed;
    return session.until > Date.now() ? session : null;
  };

  const bySession = async (request: FastifyRequest): Promise<Identified | null> => {
    const cookie = ownCookie(request);
    const signed = signedOf(cookie);
    if (!signed && !SESSION_TOKEN.test(cookie)) return null;
    if (local && !isLoopbackHost(request.headers.host)) throw forbiddenOrigin();
    if (signed?.key === null && (!local || cameThroughProxy(request))) throw forbiddenOrigin();
    const changes = request.method !== 'GET' && request.method !== 'HEAD';
    const { origin } = request.headers;
    if (
      (changes && origin === undefined) ||
      (origin !== undefined && !sameOrigin(origin, ownHost(request)))
    ) {
      throw forbiddenOrigin();
    }
    if (request.headers['sec-fetch-site'] === 'cross-site') throw forbiddenOrigin();
    if (signed?.key === null) return { principal: localOwner, via: 'local' };
    if (signed) {
      const principal = await principalOfKeyId(pool, signed.key!);
      return principal && { principal, via: 'session' };
    }
    const open = await sessionOf(pool, cookie, life);
    return open && { principal: open.principal, via: 'session', session: open };
  };

  const remembered = new RememberedKeys();
  const lastOf = new WeakMap<Socket, Said>();
  const byHeader = async (header: string, socket: Socket): Promise<Identified> => {
    const [, text = ''] = /^Bearer +(\S+)$/i.exec(header) ?? [];
    if (isToken(text)) return { principal: await options.token(text), via: 'token' };
    const kept = await remembered.key(
      text,
      async () => (await principalOfKey(pool, text))?.principal ?? null,
    );
    if (!kept) throw unauthorised('The API key is not valid.');
    const identified = { principal: kept.principal, via: 'key' } as const;
    lastOf.set(socket, { header, kept, identified });
    return identified;
  };

  const find = (request: FastifyRequest): Promise<Identified | null> => {
    const header = request.headers.authorization;
    return header === undefined ? bySession(request) : byHeader(header, request.raw.socket);
  };
  const recall = (request: Asked): Identified | null => {
    const header = request.headers.authorization;
    const last = header === undefined ? undefined : lastOf.get(request.raw.socket);
    return last?.header === header && last !== undefined && remembered.isFresh(last.kept)
      ? last.identified
      : null;
  };
  const known = (request: Asked): Identified | Promise<Identified | null> =>
    (request[IDENTIFIED] ??= recall(request) ?? find(request));
  const identify = async (request: FastifyRequest): Promise<Identified | null> => known(request);

  const assertOwnPage = (request: FastifyRequest): void => {
    const { origin } = request.headers;
    if (origin !== undefined && !sameOrigin(origin, ownHost(request))) throw forbiddenOrigin();
  };

  return {
    identify,
    isSecure,
    assertOwnPage,
    forget: () => remembered.forget(),
    principal: async (request) => (await identify(request))?.principal ?? null,
    known(request) {
      const found = known(request);
      return found instanceof Promise ? null : found.principal;
    },
    bearing: (request, token) =>
      Object.create(request, {
        headers: {
          value: {
            ...request.headers,
            authorization: /^Bearer /i.test(token) ? token : `Bearer ${token}`,
          },
        },
        [IDENTIFIED]: { value: undefined, writable: true },
      }) as FastifyRequest,
    async stillGood(request) {
      const [before, now] = [await identify(request), await find(request).catch(endedOrThrow)];
      return now !== null && isDeepStrictEqual(now.principal, before?.principal);
    },
    isLocal: (request) =>
      local && isLoopback(request.socket.remoteAddress ?? '') && !cameThroughProxy(request),
    async welcome(request, reply) {
      const peer = request.socket.remoteAddress ?? '';
      if (cameThroughProxy(request)) return;
      if (!local || !isLoopback(peer) || !isLoopbackHost(request.headers.host)) return;
      // A link on another site brings no cookie along: it must not cost a user his session. The page asks again.
      if (request.headers['sec-fetch-site'] === 'cross-site') return;
      const cookie = ownCookie(request);
      // Without the database nobody can tell: the page comes all the same, and the cookie is left alone.
      const inUse = (): Promise<boolean> =>
        sessionOf(pool, cookie, life).then(
          (session) => session !== null,
          () => true,
        );
      if (signedOf(cookie) || (await inUse())) return;
      issueSigned(request, reply, null);
    },
    async login(request, reply, key) {
      assertOwnPage(request);
      const found = await principalOfKey(pool, key);
      if (!found) return null;
      issueSigned(request, reply, found.id);
      return found.principal;
    },
    async open(request, reply, user, via) {
      const before = ownCookie(request);
      const token = await openSession(
        pool,
        user,
        { via, address: request.ip, agent: request.headers['user-agent'] ?? '' },
        life,
      );
      if (SESSION_TOKEN.test(before)) await endSession(pool, before);
      issue(request, reply, token, Math.round(life.maxHours * 3600));
    },
    async logout(request, reply) {
      assertOwnPage(request);
      const cookie = ownCookie(request);
      if (SESSION_TOKEN.test(cookie)) await endSession(pool, cookie);
      setCookie(reply, {
        name: cookieName(request),
        value: '',
        maxAgeSeconds: 0,
        secure: isSecure(request),
      });
    },
  };
}

/** Credentials that are no good any more; a database that does not answer says nothing about them. */
function endedOrThrow(error: unknown): null {
  if (toHubError(error).disposition === 'user') return null;
  throw error;
}
