import { RecentMap } from '#kernel';

interface Sized<V> {
  readonly value: V;
  readonly bytes: number;
}

/** Values that were not used for long go first once all together are larger than `maxBytes`. */
export class BoundedCache<V> {
  readonly #kept = new RecentMap<string, Sized<V>>();
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#kept.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): V | undefined {
    return this.#kept.get(key)?.value;
  }

  /** `bytes`: of the value; a value that would take more than an eighth of the room is not kept. */
  set(key: string, value: V, bytes: number): void {
    this.delete(key);
    const size = bytes + key.length * 2 + 200;
    if (size > this.#maxBytes / 8) return;
    this.#kept.set(key, { value, bytes: size });
    this.#bytes += size;
    while (this.#bytes > this.#maxBytes) this.delete(this.#kept.oldest()![0]);
  }

  /** What was not used for longest first, about. */
  *entries(): Generator<[string, V]> {
    for (const [key, { value }] of this.#kept.entries()) yield [key, value];
  }

  delete(key: string): void {
    const found = this.#kept.get(key);
    if (!found) return;
    this.#kept.delete(key);
    this.#bytes -= found.bytes;
  }

  clear(): void {
    this.#kept.clear();
    this.#bytes = 0;
  }
}
