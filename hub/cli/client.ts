import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { HubError } from '#kernel';
import { notRunning, type Target } from './locate.ts';

export interface HubClient {
  readonly url: string;
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body?: object): Promise<T>;
  delete<T>(path: string): Promise<T>;
  /** The answer's bytes as they come. */
  stream(path: string, body: object): Promise<Readable>;
  /** One JSON document a line; a line `{type: 'error'}` is thrown, `{type: 'result'}` comes last. */
  lines(path: string, body: object): AsyncGenerator<Record<string, unknown>>;
}

/** Talks to a hub. Errors of the hub come back as the HubError they were. */
export function createClient(target: Target): HubClient {
  const call = async (method: string, path: string, body?: object): Promise<Response> => {
    let response: Response;
    try {
      response = await fetch(`${target.url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${target.key}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      const code = (error as { cause?: { code?: string } }).cause?.code;
      if (code === 'ECONNREFUSED') throw notRunning();
      throw new HubError(
        'HUB_UNREACHABLE',
        `The hub at ${target.url} does not answer (${code ?? String(error)}).`,
        {
          next: 'Check the address, and that the hub is running.',
          disposition: 'transient',
          cause: error,
        },
      );
    }
    if (response.ok) return response;
    throw await errorOf(response);
  };
  const json = async <T>(response: Promise<Response>): Promise<T> => (await (await response).json()) as T;
  const stream = async (path: string, body: object): Promise<Readable> => {
    const response = await call('POST', path, body);
    return response.body ? Readable.fromWeb(response.body as ReadableStream) : Readable.from([]);
  };
  return {
    url: target.url,
    get: (path) => json(call('GET', path)),
    post: (path, body = {}) => json(call('POST', path, body)),
    delete: (path) => json(call('DELETE', path)),
    stream,
    async *lines(path, body) {
      let finished = false;
      for await (const line of createInterface({ input: await stream(path, body), crlfDelay: Infinity })) {
        if (line === '') continue;
        const value = JSON.parse(line) as Record<string, unknown>;
        if (value.type === 'error') throw revive(value.error);
        finished ||= value.type === 'result';
        yield value;
      }
      if (!finished)
        throw new HubError('CONNECTION_LOST', 'The hub broke the answer off.', { next: 'Try again.' });
    },
  };
}

async function errorOf(response: Response): Promise<HubError> {
  const text = await response.text();
  try {
    const answer = JSON.parse(text) as { error: unknown };
    // The semantic layer's errors are in the form of Cube: the text under `error`, the rest beside it.
    return revive(typeof answer.error === 'string' ? { ...answer, message: answer.error } : answer.error);
  } catch {
    return new HubError('HTTP_ERROR', `The hub answered ${response.status}.`, {
      next: 'Is this the address of a BAC Hub?',
    });
  }
}

function revive(value: unknown): HubError {
  const { code, message, next, details } = value as ReturnType<HubError['toJSON']>;
  return new HubError(code, message, { next, details, disposition: 'user' });
}
