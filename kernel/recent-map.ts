interface Entry<V> {
  value: V;
  /** Number of values that had been put in when it was last moved to the end. */
  place: number;
}

/**
 * A map whose oldest entry is one that was not used for long, for caches that let it go first. A use does not move the
 * entry at once (taking it out of a Map and putting it in again, thousands of times a second, leaves tables behind
 * that only a full collection frees) but once a quarter as many others were put in since as there are: what goes
 * may have been used at most so much later than what stays.
 */
export class RecentMap<K, V> {
  readonly #entries = new Map<K, Entry<V>>();
  #put = 0;

  get size(): number {
    return this.#entries.size;
  }

  /** Counts as a use. */
  get(key: K): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (this.#put - entry.place > this.#entries.size / 4) {
      entry.place = this.#put;
      this.#entries.delete(key);
      this.#entries.set(key, entry);
    }
    return entry.value;
  }

  /** Puts it at the end. */
  set(key: K, value: V): void {
    this.#put += 1;
    this.#entries.delete(key);
    this.#entries.set(key, { value, place: this.#put });
  }

  delete(key: K): boolean {
    return this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  oldest(): [K, V] | undefined {
    for (const [key, { value }] of this.#entries) return [key, value];
    return undefined;
  }

  /** The oldest first; none of it counts as a use. */
  *entries(): Generator<[K, V]> {
    for (const [key, { value }] of this.#entries) yield [key, value];
  }
}
