import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '#kernel';
import { ConnectionLost } from './errors.ts';

/** Long enough for an embedded engine to be started anew. */
const GIVE_UP_AFTER_MS = 15_000;
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 1000;

/**
 * Repeats `attempt` while the connection is lost, with growing pauses, for 15 s. `repeatable` false: only
 * if the request surely never reached the server.
 */
export async function whileLost<T>(
  attempt: () => Promise<T>,
  repeatable: boolean,
  log: Logger,
  signal?: AbortSignal,
): Promise<T> {
  const deadline = performance.now() + GIVE_UP_AFTER_MS;
  for (let wait = FIRST_PAUSE_MS; ; wait = Math.min(wait * 2, LONGEST_PAUSE_MS)) {
    try {
      return await attempt();
    } catch (error) {
      const again = error instanceof ConnectionLost && (repeatable || !error.sent);
      if (!again || performance.now() + wait > deadline) throw error;
      log.debug({ err: error }, 'ClickHouse is out of reach, trying again');
      await pause(wait, undefined, { signal });
    }
  }
}
