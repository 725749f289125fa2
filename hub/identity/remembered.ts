import { hash } from 'node:crypto';
import type { Principal } from '#kernel';

/** How long a key counts without being looked up: what is revoked elsewhere ends here within this time. */
const LIFE_MS = 1000;
const MOST = 10_000;

/**
 * Keys lately found good, so that a busy client does not cost a look-up for each request. Kept under a hash; nothing
 * is remembered of keys that were refused.
 */
export class RememberedKeys {
  readonly #kept = new Map<string, { readonly until: number; readonly principal: Principal }>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The key's principal: as remembered, else as `find` says. */
  async principal(key: string, find: () => Promise<Principal | null>): Promise<Principal | null> {
    const name = hash('sha256', key, 'base64');
    const kept = this.#kept.get(name);
    if (kept && kept.until > this.#now()) return kept.principal;
    this.#kept.delete(name);
    const principal = await find();
    if (principal) {
      if (this.#kept.size >= MOST) this.#kept.clear();
      this.#kept.set(name, { until: this.#now() + LIFE_MS, principal });
    }
    return principal;
  }

  /** Rights may have changed: everything is looked up anew. */
  forget(): void {
    this.#kept.clear();
  }
}
