import { createHash } from 'node:crypto';
import type { Translated, Translations } from './translations.ts';

/** What is used of the library `workerpool`, with which Cube translates models beside the main thread. */
export interface WorkerPools {
  pool(script: string, options?: object): WorkerPool;
}
interface WorkerPool {
  exec(method: string, parameters: unknown[]): Promise<unknown>;
  terminate(): Promise<unknown>;
}

/** A file to be translated, with the names of the whole model, of which a file mentions few. */
interface Translation {
  readonly fileName: string;
  readonly content: string;
  readonly transpilers: readonly string[];
  readonly cubeNames: readonly string[];
  readonly cubeSymbols: Readonly<Record<string, Readonly<Record<string, true>>>>;
}

const IDLE_MS = 20_000;

/**
 * Has Cube's compiles share one worker thread. Of itself it starts one for each compile, which costs seconds of
 * loading before the first file is translated, and sends every file with all names of the model. Files that were
 * translated before, for another set of roles, an older model or by an earlier process, are not translated again. The thread ends when
 * nothing has been compiled for a while, and after an error, which it would tell again of every later file.
 */
export function shareCompileWorker(pools: WorkerPools, known: Translations): void {
  const create = pools.pool.bind(pools);
  let shared: { readonly script: string; readonly pool: WorkerPool } | null = null;
  let idle: NodeJS.Timeout | undefined;
  const end = (pool: WorkerPool): void => {
    if (shared?.pool === pool) shared = null;
    void pool.terminate();
  };

  const translate = async (pool: WorkerPool, file: Translation): Promise<Translated> => {
    const lean = mentioned(file);
    const key = createHash('sha256').update(JSON.stringify(lean)).digest('base64');
    const before = known.get(key);
    if (before) return before;
    const after = (await pool.exec('transpileJs', [lean])) as Translated;
    known.set(key, after);
    return after;
  };

  pools.pool = (script) => {
    clearTimeout(idle);
    if (shared?.script !== script)
      shared = { script, pool: create(script, { maxWorkers: 1, workerType: 'thread' }) };
    const { pool } = shared;
    let clean = true;
    return {
      async exec(method, parameters) {
        clearTimeout(idle);
        const result = (
          method === 'transpileJs'
            ? await translate(pool, parameters[0] as Translation)
            : await pool.exec(method, parameters)
        ) as Translated;
        if (result.errors.length > 0 || result.warnings.length > 0) clean = false;
        return result;
      },
      terminate() {
        clearTimeout(idle);
        if (clean) idle = setTimeout(() => end(pool), IDLE_MS).unref();
        else end(pool);
        return known.save();
      },
    };
  };
}

const NAME = /[\p{L}_$][\p{L}\p{N}_$]*/gu;

/** The file with the names that occur in it: the translator looks up no others. */
function mentioned(file: Translation): Translation {
  const names = new Set(file.content.match(NAME));
  const kept = <T>(of: Readonly<Record<string, T>>): [string, T][] =>
    Object.entries(of).filter(([name]) => names.has(name));
  return {
    ...file,
    cubeNames: file.cubeNames.filter((name) => names.has(name)),
    cubeSymbols: Object.fromEntries(
      kept(file.cubeSymbols).map(([name, members]) => [name, Object.fromEntries(kept(members))]),
    ),
  };
}
