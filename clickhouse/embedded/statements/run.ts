import type { Connection, Engine, Outcome, Params } from '../engine/index.ts';
import type { BodyReader } from '../http/body.ts';
import type { Reply } from '../http/response.ts';

/** All that a statement needs to run. */
export interface Run {
  readonly engine: Engine;
  readonly connection: Connection;
  /** The mark by which the engine finds this statement to end it. */
  readonly mark: string;
  readonly params: Params;
  readonly defaultFormat: string;
  readonly reply: Reply;
  readonly signal: AbortSignal;
  /** For an account that only reads. */
  readonly readonly: boolean;
}

export interface Input {
  /** Data that stood in the statement's own text. */
  readonly inline: Buffer;
  readonly body: BodyReader;
}

const KILL_AGAIN_FIRST_MS = 20;
const KILL_AGAIN_MOST_MS = 1000;

/**
 * Awaits `work`, which runs in the engine; once the signal fires the engine is told to end it, again and
 * again until it has (it may not have begun yet).
 */
export async function endOnAbort<T>(run: Run, work: Promise<T>): Promise<T> {
  let over = false;
  const kill = async (): Promise<void> => {
    for (let pause = KILL_AGAIN_FIRST_MS; !over; pause = Math.min(pause * 2, KILL_AGAIN_MOST_MS)) {
      // A KILL that fails (it meets statements that are just ending) is given again like one that came too early.
      await run.engine.kill(run.mark).catch(() => {});
      await Promise.race([settled, new Promise((resolve) => setTimeout(resolve, pause))]);
    }
  };
  const settled = work.then(
    () => {
      over = true;
    },
    () => {
      over = true;
    },
  );
  let killing: Promise<void> | null = null;
  const begin = (): void => {
    killing = kill();
    killing.catch(() => {});
  };
  if (run.signal.aborted) begin();
  else run.signal.addEventListener('abort', begin, { once: true });
  try {
    return await work;
  } finally {
    run.signal.removeEventListener('abort', begin);
    await killing;
  }
}

/** Sends a result that is whole already. */
export async function sendWhole(run: Run, format: string, outcome: Outcome): Promise<void> {
  run.reply.begin(format, outcome);
  if (outcome.bytes.length > 0) await run.reply.write(outcome.bytes, run.signal);
  run.reply.end();
}
