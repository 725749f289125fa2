/** A counter seen at a moment (monotonic ms). */
interface Sight {
  readonly at: number;
  readonly count: number;
}

/**
 * Events per second from counters that only ever grow, over a sliding window. A counter that falls
 * (topic recreated, new snapshot) starts again. Names not seen in a round are forgotten by `sweep`.
 */
export class Rates {
  readonly #windowMs: number;
  readonly #sights = new Map<string, Sight[]>();

  constructor(windowMs = 5_000) {
    this.#windowMs = windowMs;
  }

  /** Notes the counter and returns its rate; null until two sights exist. */
  observe(name: string, count: number, at: number): number | null {
    const sights = this.#sights.get(name) ?? [];
    const last = sights.at(-1);
    if (last && count < last.count) sights.length = 0;
    if (!last || at > last.at) sights.push({ at, count });
    while (sights.length > 2 && at - sights[1]!.at >= this.#windowMs) sights.shift();
    this.#sights.set(name, sights);
    const [first, newest] = [sights[0]!, sights.at(-1)!];
    return newest.at === first.at ? null : ((newest.count - first.count) * 1000) / (newest.at - first.at);
  }

  sweep(keep: ReadonlySet<string>): void {
    for (const name of this.#sights.keys()) if (!keep.has(name)) this.#sights.delete(name);
  }
}
