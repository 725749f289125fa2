import { HubError } from '#kernel';

export interface Bucket {
  readonly perSecond: number;
  readonly burst: number;
}

/** Buckets kept at once; the one unused longest gives way, and would be full again soon. */
const MOST = 20_000;

/** One is put at the end of the order again once so many others have been. */
const BEHIND = MOST / 4;

interface Kept {
  tokens: number;
  at: number;
  /** Number of the time it was put at the end of the order. */
  place: number;
}

/** Token buckets by name, in the memory of this process: replicas count each for themselves. */
export class Limiter {
  readonly #kept = new Map<string, Kept>();
  readonly #now: () => number;
  #last = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** Takes one token; resolves to 0, or to the seconds until there is one. */
  take(name: string, { perSecond, burst }: Bucket): number {
    const now = this.#now();
    const kept = this.#kept.get(name) ?? { tokens: burst, at: now, place: 0 };
    const tokens = Math.min(burst, kept.tokens + ((now - kept.at) / 1000) * perSecond);
    const taken = tokens >= 1;
    kept.tokens = taken ? tokens - 1 : tokens;
    kept.at = now;
    if (kept.place === 0 || this.#last - kept.place > BEHIND) this.#toEnd(name, kept);
    return taken ? 0 : (1 - tokens) / perSecond;
  }

  /** Sets it anew, so that the map's order is about that of last use. */
  #toEnd(name: string, kept: Kept): void {
    this.#last += 1;
    kept.place = this.#last;
    this.#kept.delete(name);
    this.#kept.set(name, kept);
    if (this.#kept.size > MOST) this.#kept.delete(this.#kept.keys().next().value!);
  }
}

/** RATE_LIMITED (429), `details.retryAfterSeconds`. */
export function rateLimited(seconds: number): HubError {
  const whole = Math.max(1, Math.ceil(seconds));
  return new HubError('RATE_LIMITED', 'There are too many requests.', {
    next: `Wait ${whole} s.`,
    disposition: 'user',
    details: { retryAfterSeconds: whole },
  });
}

/** One visitor: an IPv4 address, or the /64 of an IPv6 one, which is what a customer is given. */
export function visitorOf(address: string): string {
  if (!address.includes(':')) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped) return mapped[1]!;
  const [head = '', tail] = address.split('%')[0]!.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const middle = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array.from({ length: middle }, () => '0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
