import { HubError, RecentMap } from '#kernel';

export interface Bucket {
  readonly perSecond: number;
  readonly burst: number;
}

/** Buckets kept at once; the one unused longest gives way, and would be full again soon. */
const MOST = 20_000;

interface Kept {
  tokens: number;
  at: number;
}

/** Token buckets by name, in the memory of this process: replicas count each for themselves. */
export class Limiter {
  readonly #kept = new RecentMap<string, Kept>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** Takes one token; resolves to 0, or to the seconds until there is one. */
  take(name: string, { perSecond, burst }: Bucket): number {
    const now = this.#now();
    const kept = this.#kept.get(name) ?? this.#begin(name, { tokens: burst, at: now });
    const tokens = Math.min(burst, kept.tokens + ((now - kept.at) / 1000) * perSecond);
    const taken = tokens >= 1;
    kept.tokens = taken ? tokens - 1 : tokens;
    kept.at = now;
    return taken ? 0 : (1 - tokens) / perSecond;
  }

  #begin(name: string, full: Kept): Kept {
    this.#kept.set(name, full);
    if (this.#kept.size > MOST) this.#kept.delete(this.#kept.oldest()![0]);
    return full;
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
