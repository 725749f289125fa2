import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Config, Principal } from '#kernel';
import { type Authenticator, Limiter, rateLimited, visitorOf } from '../identity/index.ts';

/** Asked by machines that must not be turned away, and cheap. */
const EXEMPT = /^\/(healthz|readyz|metrics)(\?|$)/;
/** The page and its files need nobody to be known. */
const PAGE = /^\/(assets\/|\?|$)/;

/** For what is asked on a connection that stays open. */
export interface RequestLimits {
  /** Counts one more request of the connection that `request` opened. Errors: RATE_LIMITED. */
  count(request: FastifyRequest, principal: Principal | null): void;
}

/**
 * Refuses requests beyond `limits` with 429 RATE_LIMITED: first by address, before anything is looked
 * up, then by principal. Counted in this process; with several replicas of the api each counts for
 * itself, so a visitor whose requests are spread over them gets as many times the limit.
 */
export function limitRequests(
  app: FastifyInstance,
  limits: Config['limits'],
  authenticator: Authenticator,
): RequestLimits {
  const addresses = new Limiter();
  const principals = new Limiter();
  const names = new WeakMap<Principal, string>();
  const nameOf = (principal: Principal): string => {
    let name = names.get(principal);
    if (name === undefined) {
      name = JSON.stringify([principal.tenant, principal.user]);
      names.set(principal, name);
    }
    return name;
  };
  const assert = (seconds: number): void => {
    if (seconds > 0) throw rateLimited(seconds);
  };
  const countAddress = (request: FastifyRequest, local: boolean): void =>
    assert(addresses.take(visitorOf(request.ip), local ? limits.local : limits.address));
  const countPrincipal = (principal: Principal, local: boolean): void =>
    assert(principals.take(nameOf(principal), local ? limits.local : limits.principal));
  /** A promise where it takes a look-up to know who asks. */
  const check = (request: FastifyRequest): Promise<void> | null => {
    if (EXEMPT.test(request.url)) return null;
    const local = authenticator.isLocal(request);
    countAddress(request, local);
    if (PAGE.test(request.url)) return null;
    const known = authenticator.known(request);
    if (known) {
      countPrincipal(known, local);
      return null;
    }
    return (
      authenticator
        .principal(request)
        // Credentials that are no good are the route's to refuse.
        .catch(() => null)
        .then((principal) => {
          if (principal) countPrincipal(principal, local);
        })
    );
  };
  app.addHook('onRequest', (request, _reply, done) => {
    let checked: Promise<void> | null;
    try {
      checked = check(request);
    } catch (refused) {
      done(refused as Error);
      return;
    }
    if (checked) checked.then(() => done(), done);
    else done();
  });
  return {
    count(request, principal) {
      const local = authenticator.isLocal(request);
      countAddress(request, local);
      if (principal) countPrincipal(principal, local);
    },
  };
}
