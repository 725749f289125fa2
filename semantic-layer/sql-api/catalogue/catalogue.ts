import { Worker } from 'node:worker_threads';
import type { Model } from '../compile/relation.ts';
import { cancelled, SqlError } from '../errors.ts';
import { mirror } from './mirror.ts';

interface Reply {
  readonly id?: number;
  readonly answer?: Uint8Array;
  readonly failed?: string;
}

/** PostgreSQL's catalogue of one model. One statement runs at a time; what takes too long ends it. */
export class Catalogue {
  readonly #worker: Worker;
  readonly #waiting = new Map<
    number,
    { resolve: (answer: Buffer) => void; reject: (error: Error) => void }
  >();
  readonly ready: Promise<void>;
  #next = 0;
  #dead = false;

  constructor(model: Model) {
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: { sql: mirror(model) },
    });
    this.#worker.unref();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    this.ready.catch(() => undefined);
    this.#worker.on('message', (reply: Reply) => {
      if (reply.id === undefined) return resolve();
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if (reply.answer) waiting?.resolve(Buffer.from(reply.answer));
      else waiting?.reject(new Error(reply.failed));
    });
    const end = (error: Error): void => {
      this.#dead = true;
      reject(error);
      for (const waiting of this.#waiting.values()) waiting.reject(error);
      this.#waiting.clear();
    };
    this.#worker.on('error', end);
    this.#worker.on('exit', () =>
      end(new SqlError('57P01', 'the catalogue was ended', { hint: 'Send the statement again.' })),
    );
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** Sends messages that end in Sync or are one Query, and returns all of the answer. */
  async exchange(messages: readonly Buffer[], signal: AbortSignal, timeoutMs: number): Promise<Buffer> {
    await this.ready;
    if (signal.aborted) throw cancelled();
    this.#next += 1;
    const id = this.#next;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    this.#waiting.set(id, { resolve, reject });
    const late = setTimeout(() => {
      reject(new SqlError('57014', 'canceling statement due to statement timeout'));
      void this.close();
    }, timeoutMs);
    const stop = (): void => {
      reject(cancelled());
      void this.close();
    };
    signal.addEventListener('abort', stop);
    this.#worker.postMessage({ id, bytes: Buffer.concat(messages) });
    try {
      return await promise;
    } finally {
      clearTimeout(late);
      signal.removeEventListener('abort', stop);
    }
  }

  async close(): Promise<void> {
    this.#dead = true;
    await this.#worker.terminate();
  }
}

/** Catalogues by model, as many as `most`; the one longest unused makes room. */
export class Catalogues {
  readonly #made = new Map<string, Catalogue>();
  readonly #most: number;
  constructor(most: number) {
    this.#most = most;
  }

  of(model: Model): Catalogue {
    const kept = this.#made.get(model.version);
    this.#made.delete(model.version);
    const catalogue = kept && !kept.dead ? kept : new Catalogue(model);
    this.#made.set(model.version, catalogue);
    for (const [version, oldest] of this.#made) {
      if (this.#made.size <= this.#most) break;
      this.#made.delete(version);
      void oldest.close();
    }
    return catalogue;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#made.values()].map((catalogue) => catalogue.close()));
    this.#made.clear();
  }
}
