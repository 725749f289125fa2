import { Worker } from 'node:worker_threads';
import type { Ids } from './api-mix.ts';
import type { LoadResult } from './http-load.ts';

export interface MixedLoad {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Requests a second. */
  readonly rate: number;
  readonly seconds: number;
  /** Of the same load before anything is counted. */
  readonly warmSeconds: number;
  readonly ids: Ids;
}

/**
 * The mixed load from a thread with a small heap of its own: beside everything else that a benchmark's process has
 * loaded, collecting the client's garbage would stop it for 20 ms now and then, and count as the server's time.
 */
export async function mixedLoad(load: MixedLoad): Promise<LoadResult> {
  const worker = new Worker(new URL('load-worker.ts', import.meta.url), {
    workerData: load,
    resourceLimits: { maxYoungGenerationSizeMb: 48 },
  });
  const done = Promise.withResolvers<LoadResult>();
  worker.once('message', done.resolve).once('error', done.reject);
  worker.once('exit', (code) => done.reject(new Error(`the load ended early (${code})`)));
  return await done.promise;
}
