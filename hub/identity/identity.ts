import type { FastifyRequest } from 'fastify';
import type { Pool } from 'pg';
import { auditSettled, type Config, type Principal } from '#kernel';
import { tenantOf } from './access.ts';
import { type Authenticator, createAuthenticator } from './authenticator.ts';
import { createOidc, type Oidc } from './oidc.ts';
import type { SessionLife } from './sessions.ts';
import { createIssuers, principalOfToken } from './tokens.ts';

export interface IdentityOptions {
  readonly pool: Pool;
  readonly config: Pick<Config, 'http' | 'identity'>;
  /** Signs the local owner's and keys' sessions; shared by all replicas, or null: made by each process. */
  readonly sessionSecret: string | null;
}

/** Who comes in, and which tenant a request is about: what the HTTP face and the apps' API stand on. */
export interface Identity {
  readonly authenticator: Authenticator;
  readonly oidc: Oidc;
  readonly life: SessionLife;
  /** See `tenantOf` in access.ts. */
  tenantOf(request: Pick<FastifyRequest, 'headers'>, principal: Principal): Promise<string | null>;
  /** Waits until the audit trail is written. */
  close(): Promise<void>;
}

export function createIdentity({ pool, config, sessionSecret }: IdentityOptions): Identity {
  const { host, publicUrl } = config.http;
  const issuers = createIssuers(config.identity.issuers);
  const life = config.identity.sessions;
  const authenticator = createAuthenticator({
    pool,
    host,
    publicUrl,
    secret: sessionSecret,
    life,
    token: (text) => principalOfToken(pool, issuers, text),
  });
  return {
    authenticator,
    life,
    oidc: createOidc({ pool, issuers, authenticator, publicUrl }),
    tenantOf: (request, principal) => tenantOf(pool, request, principal),
    close: () => auditSettled(pool),
  };
}
