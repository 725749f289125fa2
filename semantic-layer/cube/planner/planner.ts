import { Worker } from 'node:worker_threads';
import { HubError, type Logger, toHubError } from '#kernel';
import type { AdapterAnswer, PlannedQuery } from '../library.ts';
import type { CallName, Calls, FromThread, ThreadSetup, ToThread } from './calls.ts';

export interface PlannerAbout {
  readonly version: string;
  readonly native: 'module' | 'substitute';
}

/** What a layer has the planning thread run for it, by the id of the request. */
export type RunForPlanner = (request: string, query: PlannedQuery) => Promise<AdapterAnswer> | null;

/** The thread in which Cube plans. */
export interface Planner {
  /** Errors: those of the call; PLANNER_ENDED (transient), after which a new thread has to compile anew. */
  call<Name extends CallName>(name: Name, ...args: Parameters<Calls[Name]>): Promise<ReturnType<Calls[Name]>>;
  readonly about: Promise<PlannerAbout>;
  /** Resolves when the thread has ended. */
  readonly ended: Promise<void>;
  /** The last who releases it ends it. */
  release(): Promise<void>;
}

interface Shared {
  readonly thread: Thread;
  users: number;
}

/** One for all layers of a process: Cube takes 130 MB. */
let shared: Shared | null = null;

/**
 * The planning thread, started if there is none. `run` is asked for statements of requests that it knows. `cacheDir`
 * counts for whoever starts it.
 */
export function openPlanner(logger: Logger, run: RunForPlanner, cacheDir: string | null): Planner {
  if (!shared || shared.thread.dead) shared = { thread: new Thread(logger, { cacheDir }), users: 0 };
  const mine = shared;
  mine.users += 1;
  mine.thread.runners.add(run);
  let released = false;
  return {
    call: (name, ...args) => mine.thread.call(name, args) as never,
    about: mine.thread.about,
    ended: mine.thread.ended,
    async release() {
      if (released) return;
      released = true;
      mine.thread.runners.delete(run);
      mine.users -= 1;
      if (mine.users > 0) return;
      if (shared === mine) shared = null;
      await mine.thread.end();
    },
  };
}

class Thread {
  readonly runners = new Set<RunForPlanner>();
  readonly about: Promise<PlannerAbout>;
  readonly ended: Promise<void>;
  dead = false;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #next = 0;

  constructor(logger: Logger, workerData: ThreadSetup) {
    this.#worker = new Worker(new URL('./thread.ts', import.meta.url), { workerData });
    const about = Promise.withResolvers<PlannerAbout>();
    this.about = about.promise;
    this.about.catch(() => {}); // whoever calls is told
    const ended = Promise.withResolvers<void>();
    this.ended = ended.promise;
    const end = (cause?: unknown): void => {
      if (cause !== undefined) logger.error({ err: toHubError(cause) }, 'the planning thread has failed');
      this.dead = true;
      const error = hasEnded(cause);
      about.reject(error);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
      ended.resolve();
    };
    this.#worker.on('error', end);
    this.#worker.on('exit', () => end());
    this.#worker.on('message', (message: FromThread) => {
      if ('ready' in message) about.resolve(message.ready);
      else if ('log' in message) logger.debug({ error: message.error }, `cube: ${message.log}`);
      else if ('run' in message) void this.#run(message.run, message.request, message.query);
      else {
        const waiting = this.#waiting.get(message.id);
        this.#waiting.delete(message.id);
        if (message.failed) {
          const { code, message: text, ...options } = message.failed;
          waiting?.reject(new HubError(code, text, options as object));
        } else waiting?.resolve(message.result);
      }
    });
  }

  async call(call: CallName, args: readonly unknown[]): Promise<unknown> {
    if (this.dead) throw hasEnded();
    this.#next += 1;
    const answer = Promise.withResolvers<unknown>();
    this.#worker.postMessage({ id: this.#next, call, args } satisfies ToThread);
    this.#waiting.set(this.#next, answer);
    return answer.promise;
  }

  async end(): Promise<void> {
    this.dead = true;
    await this.#worker.terminate();
  }

  async #run(run: number, request: string, query: PlannedQuery): Promise<void> {
    try {
      for (const runner of this.runners) {
        const answer = runner(request, query);
        if (answer) return this.#say({ ran: run, answer: await answer });
      }
      throw new Error('Cube asks on behalf of nobody.');
    } catch (thrown) {
      this.#say({ ran: run, failed: toHubError(thrown).message });
    }
  }

  #say(message: ToThread): void {
    if (!this.dead) this.#worker.postMessage(message);
  }
}

const hasEnded = (cause?: unknown): HubError =>
  new HubError('PLANNER_ENDED', 'The semantic layer’s planner has ended.', {
    disposition: 'transient',
    next: 'Ask again.',
    cause,
  });
