import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey, errors as joseErrors } from 'jose';
import { z } from 'zod';
import type { IssuerConfig } from '#kernel';
import { fetchJson, providerError } from './fetch-json.ts';

const address = z
  .url({ protocol: /^https?$/ })
  .refine(
    (text) =>
      text.startsWith('https:') || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(text).hostname),
    'is not https',
  );

const discoverySchema = z.looseObject({
  issuer: z.string(),
  jwks_uri: address,
  authorization_endpoint: address.optional(),
  token_endpoint: address.optional(),
  userinfo_endpoint: address.optional(),
  token_endpoint_auth_methods_supported: z.array(z.string()).optional(),
});

const jwksSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(100) });

export type Discovery = z.infer<typeof discoverySchema>;

/** What an issuer says of itself, fetched when needed and kept. */
export interface Provider {
  discovery(): Promise<Discovery>;
  /** The public key of a token; for `jwtVerify`. */
  readonly key: JWTVerifyGetKey;
}

export interface ProviderOptions {
  /** After this a document is asked for again; the old one is used while the provider does not answer. */
  readonly maxAgeMs?: number;
  /** Shortest time between two requests for one document, whatever tokens come. */
  readonly cooldownMs?: number;
}

/**
 * Keeps a document of a provider. `fresh` asks for one newer than what is kept, and gets it unless
 * the provider was asked within the cool-down: tokens with made-up key ids do not make the hub hammer it,
 * and neither does a provider that is down.
 */
class Kept<T> {
  readonly #load: () => Promise<T>;
  readonly #maxAgeMs: number;
  readonly #cooldownMs: number;
  #value: T | null = null;
  #loadedAt = Number.NEGATIVE_INFINITY;
  #askedAt = Number.NEGATIVE_INFINITY;
  #loading: Promise<void> | null = null;
  #failure: unknown = null;

  constructor(load: () => Promise<T>, maxAgeMs: number, cooldownMs: number) {
    this.#load = load;
    this.#maxAgeMs = maxAgeMs;
    this.#cooldownMs = cooldownMs;
  }

  async get(fresh = false): Promise<T> {
    const now = performance.now();
    const wanted = fresh || this.#value === null || now - this.#loadedAt > this.#maxAgeMs;
    if (wanted && (this.#loading || now - this.#askedAt >= this.#cooldownMs)) {
      this.#loading ??= this.#reload();
      await this.#loading;
    }
    if (this.#value === null) throw this.#failure;
    return this.#value;
  }

  async #reload(): Promise<void> {
    this.#askedAt = performance.now();
    try {
      this.#value = await this.#load();
      this.#loadedAt = performance.now();
    } catch (error) {
      this.#failure = error;
    } finally {
      this.#loading = null;
    }
  }
}

export function createProvider(config: IssuerConfig, options: ProviderOptions = {}): Provider {
  const { maxAgeMs = 600_000, cooldownMs = 10_000 } = options;
  const discovery = new Kept(() => discover(config), maxAgeMs, cooldownMs);
  const keys = new Kept(
    async () => {
      const uri = config.jwksUri ?? (await discovery.get()).jwks_uri;
      const { ok, status, body } = await fetchJson(uri);
      if (!ok) throw providerError(`its keys are answered with ${status}`);
      return createLocalJWKSet(jwksSchema.parse(body) as JSONWebKeySet);
    },
    maxAgeMs,
    cooldownMs,
  );
  return {
    discovery: () => discovery.get(),
    async key(header, token) {
      const known = await keys.get();
      try {
        return await known(header, token);
      } catch (error) {
        if (!(error instanceof joseErrors.JWKSNoMatchingKey)) throw error;
        const newer = await keys.get(true);
        if (newer === known) throw error;
        return newer(header, token);
      }
    },
  };
}

async function discover(config: IssuerConfig): Promise<Discovery> {
  const { ok, status, body } = await fetchJson(
    `${config.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`,
  );
  if (!ok) throw providerError(`its discovery document is answered with ${status}`);
  const parsed = discoverySchema.safeParse(body);
  if (!parsed.success) throw providerError('its discovery document is not one', parsed.error);
  if (parsed.data.issuer !== config.issuer)
    throw providerError(`it calls itself ${parsed.data.issuer.slice(0, 200)}, not ${config.issuer}`);
  return parsed.data;
}
