import type { FastifyRequest } from 'fastify';
import type { Pool } from 'pg';
import { auditSettled, type Config, type Principal } from '#kernel';
import { tenantOf } from './access.ts';
import { type Authenticator, createAuthenticator } from './authenticator.ts';
import { createOidc, type Oidc } from './oidc.ts';
import { createSeal, type Seal } from './seal.ts';
import { sealSecondFactors } from './second-factor.ts';
import type { SessionLife } from './sessions.ts';
import { createIssuers, principalOfToken } from './tokens.ts';

export interface IdentityOptions {
  readonly pool: Pool;
  readonly config: Pick<Config, 'http' | 'identity'>;
  /** Signs the local owner's and keys' sessions; shared by all replicas, or null: made by each process. */
  readonly sessionSecret: string | null;
  /** Seal secrets in the database: the one in force, then older ones; none: they stand there in clear. */
  readonly sealSecrets?: readonly string[];
}

/** Who comes in, and which tenant a request is about: what the HTTP face and the apps' API stand on. */
export interface Identity {
  readonly authenticator: Authenticator;
  readonly oidc: Oidc;
  readonly life: SessionLife;
  readonly seal: Seal;
  /** Seals what stands in the database in clear or under an older secret; resolves to how many. */
  sealStored(): Promise<number>;
  /** See `tenantOf` in access.ts. */
  tenantOf(request: Pick<FastifyRequest, 'headers'>, principal: Principal): Promise<string | null>;
  /** Waits until the audit trail is written. */
  close(): Promise<void>;
}

export function createIdentity({ pool, config, sessionSecret, sealSecrets = [] }: IdentityOptions): Identity {
  const { host, publicUrl } = config.http;
  const issuers = createIssuers(config.identity.issuers);
  const life = config.identity.sessions;
  const seal = createSeal(sealSecrets);
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
    seal,
    sealStored: () => sealSecondFactors(pool, seal),
    oidc: createOidc({ pool, issuers, authenticator, publicUrl }),
    tenantOf: (request, principal) => tenantOf(pool, request, principal),
    close: () => auditSettled(pool),
  };
}
