import type { FastifyReply, FastifyRequest } from 'fastify';

/** The value of a cookie in a Cookie header. */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const part of header?.split(';') ?? []) {
    const [key, value] = part.trim().split('=', 2);
    if (key === name) return value;
  }
  return undefined;
}

/** One for each port: several hubs on a machine share its cookies. */
export const cookieName = (request: FastifyRequest, kind: 'session' | 'oidc' = 'session'): string =>
  `bac_${kind}_${request.socket.localPort ?? 0}`;

export interface CookieOptions {
  readonly name: string;
  readonly value: string;
  readonly maxAgeSeconds: number;
  readonly secure: boolean;
  /** Lax where it has to survive the way back from another site. */
  readonly sameSite?: 'Strict' | 'Lax';
  readonly path?: string;
}

/** Adds a Set-Cookie header; never readable by scripts. */
export function setCookie(reply: FastifyReply, options: CookieOptions): void {
  const { name, value, maxAgeSeconds, secure, sameSite = 'Strict', path = '/' } = options;
  reply.header(
    'set-cookie',
    `${name}=${value}; Path=${path}; HttpOnly; SameSite=${sameSite}; Max-Age=${maxAgeSeconds}${secure ? '; Secure' : ''}`,
  );
}
