/** True for addresses and names that only this machine reaches. */
export function isLoopback(host: string): boolean {
  if (host === '127.0.0.1' || host === '::1') return true;
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  if (bare === 'localhost' || bare === '::1') return true;
  return /^(::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(bare);
}

/** The same of a Host header, whatever its port. A missing or odd header is not loopback. */
export function isLoopbackHost(header: string | undefined): boolean {
  const [, host] = /^(\[[0-9a-f:]+\]|[^:/@\s]+)(?::\d{1,5})?$/i.exec(header ?? '') ?? [];
  return host !== undefined && isLoopback(host);
}

/** Does an Origin header name the very host and port the request was sent to? */
export function sameOrigin(origin: string, host: string | undefined): boolean {
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}

const PROXY_HEADERS = new Set([
  'forwarded',
  'via',
  'x-real-ip',
  'x-client-ip',
  'x-original-host',
  'x-request-start',
]);

/**
 * Did something stand between the visitor and this server? True for any header proxies add, and for
 * HTTP/1.0, which no browser speaks but nginx does as it comes. A proxy that shows none of these
 * cannot be told from a visitor: that is what `http.publicUrl` is for.
 */
export function cameThroughProxy(request: {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly raw: { readonly httpVersion: string };
}): boolean {
  if (request.raw.httpVersion === '1.0') return true;
  for (const name in request.headers)
    if (PROXY_HEADERS.has(name) || name.startsWith('x-forwarded-') || name.startsWith('cf-')) return true;
  return false;
}
