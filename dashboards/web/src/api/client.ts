import type { Problem, Session } from './types.ts';

/** A refusal of the API, with one entry per wrong field where the request was at fault. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly next: string | undefined;
  readonly fields: readonly { readonly path: string; readonly message: string }[];

  constructor(status: number, problem: Problem & { details?: { fields?: ApiError['fields'] } }) {
    super(problem.message);
    this.status = status;
    this.code = problem.code;
    this.next = problem.next;
    this.fields = problem.details?.fields ?? [];
  }
}

const OFFLINE = { code: 'OFFLINE', message: 'The hub does not answer.', next: 'Is it still running?' };

/** One JSON call to the hub; every failure is an ApiError. */
export async function api<T>(
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  options: { body?: object; signal?: AbortSignal } = {},
): Promise<T> {
  const { body, signal } = options;
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      signal,
      ...(body ? { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) } : {}),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, OFFLINE);
  }
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok) return answer as T;
  const problem = (answer as { error?: Problem } | null)?.error;
  throw new ApiError(
    response.status,
    problem ?? { code: 'HTTP_ERROR', message: `The hub answered ${response.status}.` },
  );
}

export const asApiError = (thrown: unknown): ApiError =>
  thrown instanceof ApiError ? thrown : new ApiError(0, { code: 'PAGE', message: String(thrown) });

/** Who is signed in; null = nobody. A fresh loopback session is asked for before giving up. */
export async function currentSession(): Promise<Session | null> {
  for (const renew of [true, false]) {
    try {
      return await api<Session>('GET', '/session');
    } catch (error) {
      if (asApiError(error).status !== 401) throw error;
      if (renew) await fetch('/').catch(() => undefined);
    }
  }
  return null;
}

/** Confined to a tenant: what shows rows of all of them is not for this user. */
export const isConfined = ({ tenant, scopes }: Session): boolean =>
  tenant !== null && !scopes.includes('admin');
