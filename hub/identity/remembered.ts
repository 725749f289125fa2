import { hash } from 'node:crypto';
import type { Principal } from '#kernel';

/** How long a key counts without being looked up: what is revoked elsewhere ends here within this time. */
const LIFE_MS = 1000;
const MOST = 10_000;

/** A key that was found good. */
export interface Remembered {
  readonly principal: Principal;
  readonly until: number;
  /** Of all that was remembered at the time. */
  readonly generation: number;
}

/**
 * Keys lately found good, so that a busy client does not cost a look-up for each request. Kept under a hash; nothing
 * is remembered of keys that were refused.
 */
export class RememberedKeys {
  readonly #kept = new Map<string, Remembered>();
  readonly #now: () => number;
  #generation = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The key as remembered, else as `find` says; null: it is no good. */
  async key(key: string, find: () => Promise<Principal | null>): Promise<Remembered | null> {
    const name = hash('sha256', key, 'base64');
    const kept = this.#kept.get(name);
    if (kept && this.counts(kept)) return kept;
    this.#kept.delete(name);
    const generation = this.#generation;
    const principal = await find();
    if (!principal) return null;
    const found = { principal, until: this.#now() + LIFE_MS, generation };
    // Whether it still counts nobody knows if something was forgotten meanwhile.
    if (generation === this.#generation) {
      if (this.#kept.size >= MOST) this.#kept.clear();
      this.#kept.set(name, found);
    }
    return found;
  }

  /** Whether it need not be looked up yet. */
  counts({ until, generation }: Remembered): boolean {
    return generation === this.#generation && until > this.#now();
  }

  /** Rights may have changed: everything is looked up anew. */
  forget(): void {
    this.#kept.clear();
    this.#generation += 1;
  }
}
