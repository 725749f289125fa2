import type { FastifyInstance } from 'fastify';
import type { Config } from '#kernel';
import { type Authenticator, Limiter, rateLimited, visitorOf } from '../identity/index.ts';

/** Asked by machines that must not be turned away, and cheap. */
const EXEMPT = /^\/(healthz|readyz|metrics)(\?|$)/;
/** The page and its files need nobody to be known. */
const PAGE = /^\/(assets\/|\?|$)/;

/**
 * Refuses requests beyond `limits` with 429 RATE_LIMITED: first by address, before anything is looked
 * up, then by principal. Counted in this process; with several replicas of the api each counts for
 * itself, so a visitor whose requests are spread over them gets as many times the limit.
 */
export function limitRequests(
  app: FastifyInstance,
  limits: Config['limits'],
  authenticator: Authenticator,
): void {
  const limiter = new Limiter();
  const assert = (name: string, bucket: Config['limits']['local']): void => {
    const seconds = limiter.take(name, bucket);
    if (seconds > 0) throw rateLimited(seconds);
  };
  app.addHook('onRequest', async (request) => {
    if (EXEMPT.test(request.url)) return;
    const local = authenticator.isLocal(request);
    assert(`address ${visitorOf(request.ip)}`, local ? limits.local : limits.address);
    if (PAGE.test(request.url)) return;
    // Credentials that are no good are the route's to refuse.
    const known = await authenticator.principal(request).catch(() => null);
    if (known)
      assert(`principal ${known.tenant ?? ''} ${known.user}`, local ? limits.local : limits.principal);
  });
}
