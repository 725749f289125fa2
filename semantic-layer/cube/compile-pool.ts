/** What is used of the library `workerpool`, with which Cube translates models beside the main thread. */
export interface WorkerPools {
  pool(script: string, options?: object): WorkerPool;
}
interface WorkerPool {
  exec(method: string, parameters: unknown[]): Promise<unknown>;
  terminate(): Promise<unknown>;
}

const IDLE_MS = 20_000;

/**
 * Has Cube's compiles share one worker thread. Of itself it starts one for each compile, which costs seconds of
 * loading before the first file is translated. The thread ends when nothing has been compiled for a while.
 */
export function shareCompileWorker(pools: WorkerPools): void {
  const create = pools.pool.bind(pools);
  let shared: { readonly script: string; readonly pool: WorkerPool } | null = null;
  let idle: NodeJS.Timeout | undefined;
  pools.pool = (script) => {
    clearTimeout(idle);
    if (shared?.script !== script)
      shared = { script, pool: create(script, { maxWorkers: 1, workerType: 'thread' }) };
    const { pool } = shared;
    return {
      exec: (method, parameters) => {
        clearTimeout(idle);
        return pool.exec(method, parameters);
      },
      terminate: () => {
        clearTimeout(idle);
        idle = setTimeout(() => {
          if (shared?.pool === pool) shared = null;
          void pool.terminate();
        }, IDLE_MS).unref();
        return Promise.resolve();
      },
    };
  };
}
