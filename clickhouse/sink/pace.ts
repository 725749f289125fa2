import { setTimeout as delay } from 'node:timers/promises';

/** Share of one core that small inserts may cost the engine; several run at once, and part of each is waiting for the disk. */
const BUSY_SHARE = 1;
const MAX_PAUSE_MS = 400;
/** A table counts as busy this long after its last insert. */
const BUSY_MS = 1000;
/** Inserts of this many rows are worth their cost: no pause after them. */
export const LARGE_ROWS = 5000;

/**
 * Spaces small inserts so that a lone change is stored at once, and under load rows gather while a
 * table pauses after an insert. The pause follows what an insert costs just now and how many tables
 * share the engine.
 */
export class Pace {
  readonly #minMs: number;
  readonly #lastInsert = new Map<string, number>();
  #insertMs = 5;

  constructor(minMs: number) {
    this.#minMs = minMs;
  }

  /** Notes an insert that took `ms`. */
  inserted(table: string, ms: number): void {
    this.#lastInsert.set(table, performance.now());
    this.#insertMs += (Math.min(ms, 1000) - this.#insertMs) * 0.1;
  }

  /** How long the table should wait from the start of its last insert to the start of the next. */
  interval(): number {
    const now = performance.now();
    let busy = 0;
    for (const [table, at] of this.#lastInsert) {
      if (now - at < BUSY_MS) busy += 1;
      else this.#lastInsert.delete(table);
    }
    const spread = (this.#insertMs * Math.max(busy, 1)) / BUSY_SHARE;
    return Math.min(Math.max(this.#minMs, spread), MAX_PAUSE_MS);
  }

  /** Waits out the rest of the interval that began at `started`. Ends early with the signal, without error. */
  async rest(started: number, signal: AbortSignal): Promise<void> {
    const left = started + this.interval() - performance.now();
    if (left < 1) return;
    await delay(left, undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}
