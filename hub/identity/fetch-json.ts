import { HubError } from '#kernel';

const PATIENCE_MS = 5_000;
const LARGEST = 512 * 1024;

/** An OpenID provider does not answer as it should; `transient`, the cause goes to the log. */
export const providerError = (what: string, cause?: unknown): HubError =>
  new HubError('PROVIDER_UNREACHABLE', `The OpenID provider does not answer as it should: ${what}.`, {
    next: 'Try again; if it stays, look at the provider and at identity.issuers in the configuration.',
    disposition: 'transient',
    cause,
  });

/** One JSON object from a provider: five seconds, half a megabyte, no redirects. PROVIDER_UNREACHABLE. */
export async function fetchJson(
  url: string,
  init: RequestInit = {},
): Promise<{ ok: boolean; status: number; body: Readonly<Record<string, unknown>> }> {
  try {
    const response = await fetch(url, {
      ...init,
      redirect: 'error',
      signal: AbortSignal.timeout(PATIENCE_MS),
      headers: { accept: 'application/json', ...init.headers },
    });
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body ?? []) {
      size += chunk.length;
      if (size > LARGEST) throw new Error('its answer is too large');
      chunks.push(chunk);
    }
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (typeof body !== 'object' || body === null) throw new Error('its answer is no JSON object');
    return { ok: response.ok, status: response.status, body: body as Record<string, unknown> };
  } catch (cause) {
    throw providerError('no JSON within five seconds', cause);
  }
}
