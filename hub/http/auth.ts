import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Pool } from 'pg';
import { HubError, type Principal, systemPrincipal } from '#kernel';
import { keyIsLive, principalOfKey } from './keys.ts';
import { cameThroughProxy, isLoopback, isLoopbackHost, sameOrigin } from './origin.ts';

/** Who may come in, and how. */
export interface Authenticator {
  /** The request's principal; null = none given. Throws (user) on credentials that are no good. */
  principal(request: FastifyRequest): Promise<Principal | null>;
  /** Called for the web page: a loopback visitor becomes the local owner without typing a key. */
  welcome(request: FastifyRequest, reply: FastifyReply): void;
  /** Exchanges an API key for a session cookie; null if the key is no good. */
  login(request: FastifyRequest, reply: FastifyReply, key: string): Promise<Principal | null>;
  logout(reply: FastifyReply): void;
}

const SESSION_MS = 12 * 60 * 60 * 1000;

interface Session {
  readonly until: number;
  readonly principal: Principal;
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
  /** Signs sessions; null: one that lives as long as this process, so that a restart ends all sessions. */
  readonly secret: string | null;
}

/**
 * API keys (`Authorization: Bearer id.secret`) and session cookies. A session is signed, nothing of
 * it is stored.
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
  const secret = options.secret === null ? randomBytes(32) : Buffer.from(options.secret);
  const site = options.publicUrl === undefined ? null : new URL(options.publicUrl);
  const local = site === null && isLoopback(options.host);
  const sign = (payload: string): string => createHmac('sha256', secret).update(payload).digest('base64url');
  const cookieName = (request: FastifyRequest): string => `bac_session_${request.socket.localPort ?? 0}`;

  const issue = (request: FastifyRequest, reply: FastifyReply, session: Session): void => {
    const payload = Buffer.from(JSON.stringify(session)).toString('base64url');
    const secure = request.protocol === 'https' || site?.protocol === 'https:' ? '; Secure' : '';
    reply.header(
      'set-cookie',
      `${cookieName(request)}=${payload}.${sign(payload)}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${SESSION_MS / 1000}${secure}`,
    );
  };

  // A proxy may send on a Host of its own; the page's origin is what people open.
  const ownHost = (request: FastifyRequest): string | undefined => site?.host ?? request.headers.host;

  const sessionOf = (request: FastifyRequest): Session | null => {
    const [payload, mac] = cookie(request.headers.cookie, cookieName(request))?.split('.') ?? [];
    if (!payload || !mac) return null;
    const expected = Buffer.from(sign(payload));
    const given = Buffer.from(mac);
    if (expected.length !== given.length || !timingSafeEqual(expected, given)) return null;
    const session = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Session;
    return session.until > Date.now() ? session : null;
  };

  return {
    async principal(request) {
      const header = request.headers.authorization;
      if (header !== undefined) {
        const [, key] = /^Bearer +(\S+)$/i.exec(header) ?? [];
        const found = key ? await principalOfKey(options.pool, key) : null;
        if (!found) throw unauthorised('The API key is not valid.');
        return found.principal;
      }
      const session = sessionOf(request);
      if (!session) return null;
      if (local && !isLoopbackHost(request.headers.host)) throw forbiddenOrigin();
      if (session.key === null && (!local || cameThroughProxy(request))) throw forbiddenOrigin();
      const changes = request.method !== 'GET' && request.method !== 'HEAD';
      const { origin } = request.headers;
      if (
        (changes && origin === undefined) ||
        (origin !== undefined && !sameOrigin(origin, ownHost(request)))
      ) {
        throw forbiddenOrigin();
      }
      if (request.headers['sec-fetch-site'] === 'cross-site') throw forbiddenOrigin();
      if (session.key !== null && !(await keyIsLive(options.pool, session.key))) return null;
      return session.principal;
    },
    welcome(request, reply) {
      const peer = request.socket.remoteAddress ?? '';
      if (cameThroughProxy(request)) return;
      if (!local || !isLoopback(peer) || !isLoopbackHost(request.headers.host)) return;
      if (
        request.headers['sec-fetch-site'] === 'cross-site' &&
        request.headers['sec-fetch-mode'] !== 'navigate'
      )
        return;
      if (sessionOf(request)) return;
      issue(request, reply, { until: Date.now() + SESSION_MS, principal: localOwner, key: null });
    },
    async login(request, reply, key) {
      const { origin } = request.headers;
      if (origin !== undefined && !sameOrigin(origin, ownHost(request))) throw forbiddenOrigin();
      const found = await principalOfKey(options.pool, key);
      if (!found) return null;
      issue(request, reply, { until: Date.now() + SESSION_MS, principal: found.principal, key: found.id });
      return found.principal;
    },
    logout(reply) {
      const name = `bac_session_${reply.request.socket.localPort ?? 0}`;
      reply.header('set-cookie', `${name}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0`);
    },
  };
}

export const unauthorised = (message: string): HubError =>
  new HubError('UNAUTHORISED', message, {
    next: 'Send "Authorization: Bearer KEY"; the local key is in the state folder, `bac keys create` makes others.',
    disposition: 'user',
  });

const forbiddenOrigin = (): HubError =>
  new HubError('ORIGIN_REFUSED', 'The request does not come from the hub’s own page.', {
    next: 'Open the hub under its own address, or use an API key.',
    disposition: 'user',
  });

function cookie(header: string | undefined, name: string): string | undefined {
  for (const part of header?.split(';') ?? []) {
    const [key, value] = part.trim().split('=', 2);
    if (key === name) return value;
  }
  return undefined;
}
