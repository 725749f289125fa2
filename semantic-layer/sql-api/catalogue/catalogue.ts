import { Worker } from 'node:worker_threads';
import type { Model } from '../compile/relation.ts';
import { cancelled, SqlError } from '../errors.ts';
import type { FromWorker, ToWorker, WorkerSetup } from './calls.ts';
import { mirror } from './mirror.ts';
import type { Seed } from './seed.ts';

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

  /** Starts from `bytes`, if there are any; tells `seed` otherwise. */
  constructor(sql: string, seed: Seed, bytes: Uint8Array | null) {
    const workerData: WorkerSetup = { sql, seed: bytes };
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData });
    this.#worker.unref();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    this.ready.catch(() => undefined);
    this.#worker.on('message', (reply: FromWorker) => {
      if ('ready' in reply) return resolve();
      if ('unusable' in reply) return seed.unusable(reply.unusable);
      if ('seed' in reply) return void seed.keep(reply.seed);
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if ('answer' in reply) waiting?.resolve(Buffer.from(reply.answer));
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
    this.#worker.postMessage({ id, bytes: Buffer.concat(messages) } satisfies ToWorker);
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
  readonly #made = new Map<string, Promise<Catalogue>>();
  readonly #most: number;
  readonly #seed: Seed;

  constructor(most: number, seed: Seed) {
    this.#most = most;
    this.#seed = seed;
  }

  async of(model: Model): Promise<Catalogue> {
    const kept = this.#made.get(model.version);
    if (kept && (await kept).dead && this.#made.get(model.version) === kept) this.#made.delete(model.version);
    const catalogue = this.#made.get(model.version) ?? this.#start(mirror(model));
    this.#made.delete(model.version);
    this.#made.set(model.version, catalogue);
    for (const [version, oldest] of this.#made) {
      if (this.#made.size <= this.#most) break;
      this.#made.delete(version);
      void oldest.then((one) => one.close());
    }
    return catalogue;
  }

  async #start(sql: string): Promise<Catalogue> {
    return new Catalogue(sql, this.#seed, await this.#seed.bytes());
  }

  async close(): Promise<void> {
    await Promise.all([...this.#made.values()].map(async (catalogue) => (await catalogue).close()));
    this.#made.clear();
  }
}
