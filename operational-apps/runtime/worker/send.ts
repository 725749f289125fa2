import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { isPrivate, PrivateAddress, publicLookup } from './addresses.ts';

export interface Delivery {
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly allowPrivate: boolean;
}

export interface Answer {
  readonly status: number;
  /** Seconds the receiver asks to wait, from `Retry-After`. */
  readonly retryAfter: number | null;
}

/** Longest pause a receiver may ask for. */
const MOST_PAUSE = 24 * 3600;

/** One POST. Follows no redirects: they could lead anywhere. The answer's body is not read. */
export function send(delivery: Delivery, now = Date.now): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const url = new URL(delivery.url);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    if (!delivery.allowPrivate && isIP(host) !== 0 && isPrivate(host)) {
      reject(new PrivateAddress(`${host} is no public address`));
      return;
    }
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(
      url,
      {
        method: 'POST',
        headers: { ...delivery.headers, 'content-length': Buffer.byteLength(delivery.body) },
        signal: AbortSignal.timeout(delivery.timeoutMs),
        ...(delivery.allowPrivate ? {} : { lookup: publicLookup }),
      },
      (response) => {
        response.destroy();
        resolve({
          status: response.statusCode ?? 0,
          retryAfter: pauseOf(response.headers['retry-after'], now()),
        });
      },
    );
    request.on('error', reject);
    request.end(delivery.body);
  });
}

function pauseOf(header: string | undefined, now: number): number | null {
  if (header === undefined) return null;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - now) / 1000;
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), MOST_PAUSE) : null;
}
