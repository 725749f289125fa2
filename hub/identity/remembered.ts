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

interface Look {
  readonly until: number;
  readonly found: Promise<Remembered | null>;
}

/**
 * Keys lately found good, so that a busy client does not cost a look-up for each request, nor wait for one: a key that
 * is asked for in the second half of its time is looked up beside, once for all who ask. Kept under a hash; nothing is
 * remembered of keys that were refused.
 */
export class RememberedKeys {
  readonly #kept = new Map<string, Remembered>();
  readonly #looking = new Map<string, Look>();
  readonly #now: () => number;
  #generation = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The key as remembered, else as `find` says; null: it is no good. */
  async key(key: string, find: () => Promise<Principal | null>): Promise<Remembered | null> {
    const name = hash('sha256', key, 'base64');
    const kept = this.#kept.get(name);
    if (!kept || !this.#counts(kept)) return this.#look(name, find);
    // Should it fail, whoever asks once this one has ended is told.
    if (!this.isFresh(kept)) this.#look(name, find).catch(() => {});
    return kept;
  }

  /** Whether it counts, and need not be looked up for long enough. */
  isFresh(kept: Remembered): boolean {
    return this.#counts(kept) && kept.until - this.#now() > LIFE_MS / 2;
  }

  /** Rights may have changed: everything is looked up anew. */
  forget(): void {
    this.#kept.clear();
    this.#looking.clear();
    this.#generation += 1;
  }

  #counts({ until, generation }: Remembered): boolean {
    return generation === this.#generation && until > this.#now();
  }

  #look(name: string, find: () => Promise<Principal | null>): Promise<Remembered | null> {
    const under = this.#looking.get(name);
    if (under && under.until > this.#now()) return under.found;
    // Counted from before the look: what it found may have changed since.
    const until = this.#now() + LIFE_MS;
    const found = this.#found(name, find, until).finally(() => {
      if (this.#looking.get(name) === look) this.#looking.delete(name);
    });
    const look = { until, found };
    this.#looking.set(name, look);
    return found;
  }

  async #found(
    name: string,
    find: () => Promise<Principal | null>,
    until: number,
  ): Promise<Remembered | null> {
    const generation = this.#generation;
    const principal = await find();
    const found = principal && { principal, until, generation };
    // Whether it still counts nobody knows if something was forgotten meanwhile.
    if (generation === this.#generation) this.#keep(name, found);
    return found;
  }

  #keep(name: string, found: Remembered | null): void {
    this.#kept.delete(name);
    if (!found) return;
    if (this.#kept.size >= MOST) this.#kept.clear();
    this.#kept.set(name, found);
  }
}
