import type { Logger } from '#kernel';
import { toHubError } from '#kernel';

/** A started process: an engine or a role. */
export interface Running {
  readonly pid: number;
  /** Resolves when the process has ended, for whatever reason. */
  readonly exited: Promise<void>;
  stop(): Promise<void>;
}

export interface UnitStatus {
  readonly name: string;
  readonly pid: number | null;
  readonly restarts: number;
}

export interface Unit<R extends Running> {
  readonly name: string;
  /** Starts for the first time; its failure is the caller's. */
  start(): Promise<R>;
  status(): UnitStatus;
  /** What runs now; null between two lives. */
  current(): R | null;
  stop(): Promise<void>;
}

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5_000;
/** A process that lived this long has proven itself: its next restart is quick again. */
const PROVEN_MS = 10_000;

/**
 * Keeps one process running: when it ends without being asked to, it is started again, at once the
 * first time and with doubling pauses while it keeps failing. `onChange` is called after each start.
 * `launch` gets a signal that aborts when the unit is stopped while it is starting.
 */
export function supervise<R extends Running>(
  name: string,
  launch: (signal: AbortSignal) => Promise<R>,
  logger: Logger,
  onChange: () => void = () => {},
): Unit<R> {
  let current: R | null = null;
  let stopping = false;
  let restarts = 0;
  const stopped = Promise.withResolvers<void>();
  const starting = new AbortController();
  const first: Promise<unknown> = Promise.resolve();
  let watcher: Promise<void> = Promise.resolve();

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      void stopped.promise.then(() => {
        clearTimeout(timer);
        resolve();
      });
    });

  async function watch(begun: R): Promise<void> {
    let running = begun;
    let delay = FIRST_DELAY_MS;
    for (;;) {
      const since = performance.now();
      await running.exited;
      current = null;
      if (stopping) return;
      delay = performance.now() - since > PROVEN_MS ? FIRST_DELAY_MS : Math.min(delay * 2, LONGEST_DELAY_MS);
      logger.warn({ unit: name, delay }, 'process ended unexpectedly, restarting');
      for (;;) {
        await pause(delay);
        if (stopping) return;
        try {
          running = await launch(starting.signal);
          break;
        } catch (error) {
          delay = Math.min(delay * 2, LONGEST_DELAY_MS);
          logger.error({ unit: name, error: toHubError(error).toJSON(), delay }, 'restart failed');
        }
      }
      restarts += 1;
      current = running;
      onChange();
      if (stopping) await running.stop();
    }
  }

  return {
    name,
    async start() {
      const running = await launch(starting.signal);
      current = running;
      onChange();
      watcher = watch(running);
      return running;
    },
    current: () => current,
    status: () => ({ name, pid: current?.pid ?? null, restarts }),
    async stop() {
      stopping = true;
      stopped.resolve();
      starting.abort(new DOMException('stopped while starting', 'AbortError'));
      await first;
      await current?.stop();
      await watcher;
    },
  };
}
