import type { FastifyBaseLogger, FastifyReply } from 'fastify';
import { HubError, toHubError } from '#kernel';
import { presentable } from './problem.ts';

/**
 * Streams that outlive one answer (SSE, NDJSON): bounded in number, and ended when the server closes,
 * so that a graceful stop is not held up by an open page.
 */
export class OpenStreams {
  readonly #open = new Set<() => void>();
  readonly #limit: number;
  #closing = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#open.size;
  }

  add(end: () => void): () => void {
    if (this.#closing) throw new HubError('CLOSING', 'The hub is stopping.', { disposition: 'transient' });
    if (this.#open.size >= this.#limit) {
      throw new HubError('BUSY', `${this.#limit} streams are open already.`, {
        next: 'Close some pages, or try again later.',
        disposition: 'transient',
      });
    }
    this.#open.add(end);
    return () => this.#open.delete(end);
  }

  closeAll(): void {
    this.#closing = true;
    for (const end of [...this.#open]) end();
    this.#open.clear();
  }
}

/** An open stream ends this soon after the session, key or user it was opened with has ended. */
export const RECHECK_MS = 5_000;

/**
 * For streams that may be silent for long: asks every few seconds and calls `end` once the answer is no. A
 * question that fails says nothing; it is logged and asked again. Returns how to stop.
 */
export function endWithIdentity(
  log: FastifyBaseLogger,
  stillGood: () => Promise<boolean>,
  end: () => void,
): () => void {
  let asking = false;
  const timer = setInterval(async () => {
    if (asking) return;
    asking = true;
    try {
      if (!(await stillGood())) end();
    } catch (error) {
      log.warn({ err: toHubError(error) }, 'stream not checked');
    } finally {
      asking = false;
    }
  }, RECHECK_MS);
  return () => clearInterval(timer);
}

const HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-accel-buffering': 'no',
};

export interface EventSink {
  /** False: the client is slow and this event was dropped. */
  send(event: string, data: unknown): boolean;
  readonly closed: AbortSignal;
}

/** Opens a server-sent event stream. A slow reader loses frames, it never makes the hub buffer. */
export function openEvents(reply: FastifyReply, streams: OpenStreams): EventSink {
  const abort = new AbortController();
  const release = streams.add(() => reply.raw.end());
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { ...HEADERS, 'content-type': 'text/event-stream' });
  raw.on('close', () => {
    release();
    abort.abort();
  });
  raw.on('error', () => abort.abort());
  return {
    closed: abort.signal,
    send(event, data) {
      if (raw.writableEnded || raw.writableNeedDrain) return false;
      raw.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      return true;
    },
  };
}

/**
 * Answers with one JSON document a line: whatever `run` reports, then its result as the last line
 * (`{type: 'result', ...}`) or `{type: 'error', error}`.
 */
export async function answerLines(
  reply: FastifyReply,
  streams: OpenStreams,
  run: (line: (value: Readonly<Record<string, unknown>>) => void, signal: AbortSignal) => Promise<object>,
): Promise<void> {
  const abort = new AbortController();
  const { raw } = reply;
  const release = streams.add(() => abort.abort());
  reply.hijack();
  raw.writeHead(200, { ...HEADERS, 'content-type': 'application/x-ndjson' });
  raw.on('error', () => abort.abort());
  raw.on('close', () => abort.abort());
  const line = (value: object): void => {
    if (!raw.writableEnded) raw.write(`${JSON.stringify(value)}\n`);
  };
  try {
    const result = await run((value) => {
      // Progress is worth dropping for a slow reader; results are not.
      if (!raw.writableNeedDrain) line(value);
    }, abort.signal);
    line({ type: 'result', ...result });
  } catch (thrown) {
    const error = presentable(thrown);
    if (error.code === 'INTERNAL') reply.log.error({ err: toHubError(thrown) }, 'stream failed');
    line({ type: 'error', error: error.toJSON() });
  } finally {
    release();
    raw.end();
  }
}
