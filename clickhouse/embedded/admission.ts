import { refusal } from './engine/index.ts';

export interface AdmissionLimits {
  /** Statements that run at once before any is known to be slow. */
  readonly places: number;
  /** Statements allowed to wait; one more is refused with TOO_MANY_SIMULTANEOUS_QUERIES. */
  readonly waiting: number;
  /** Age in ms at which a statement counts as slow and gives its place to the next. */
  readonly slowAfterMs: number;
}

export interface Ticket {
  release(): void;
}

/**
 * Who may run now; one instance for reads and one for inserts, so that neither waits for the other. A
 * statement that has run for `slowAfterMs` moves to one of as many slow places and frees its own: quick
 * ones wait only when twice `places` statements run, at least half of them slow.
 */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #queue: ((ticket: Ticket) => void)[] = [];
  /** Statements old enough to move that wait for a slow place. */
  readonly #aged: (() => void)[] = [];
  #running = 0;
  #slow = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Waits for a place. Rejects with TOO_MANY_SIMULTANEOUS_QUERIES, or with the signal's reason. */
  async enter(signal: AbortSignal): Promise<Ticket> {
    signal.throwIfAborted();
    if (this.#running < this.#limits.places) return this.#start();
    if (this.#queue.length >= this.#limits.waiting) {
      throw refusal(
        202,
        'TOO_MANY_SIMULTANEOUS_QUERIES',
        `Too many simultaneous queries: ${this.#running + this.#slow} run, ${this.#queue.length} wait`,
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<Ticket>();
    const leave = (): void => {
      this.#queue.splice(this.#queue.indexOf(resolve), 1);
      reject(signal.reason);
    };
    this.#queue.push(resolve);
    signal.addEventListener('abort', leave, { once: true });
    return promise.finally(() => signal.removeEventListener('abort', leave));
  }

  #start(): Ticket {
    this.#running += 1;
    let slow = false;
    const move = (): void => {
      slow = true;
      this.#slow += 1;
      this.#leave();
    };
    const age = (): void => {
      if (this.#slow < this.#limits.places) move();
      else this.#aged.push(move);
    };
    const timer = setTimeout(age, this.#limits.slowAfterMs).unref();
    return {
      release: () => {
        clearTimeout(timer);
        const at = this.#aged.indexOf(move);
        if (at >= 0) this.#aged.splice(at, 1);
        if (!slow) return this.#leave();
        this.#slow -= 1;
        this.#aged.shift()?.();
      },
    };
  }

  #leave(): void {
    this.#running -= 1;
    const next = this.#queue.shift();
    if (next) next(this.#start());
  }
}
