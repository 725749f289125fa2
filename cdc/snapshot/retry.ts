import { setTimeout as delay } from 'node:timers/promises';

const FIRST_MS = 250;
const LAST_MS = 10_000;

/** Waits longer with each attempt, up to ten seconds; ends at once with the signal's reason. */
export async function backOff(attempt: number, signal: AbortSignal): Promise<void> {
  await delay(Math.min(FIRST_MS * 2 ** Math.min(attempt, 16), LAST_MS), undefined, { signal }).catch(() =>
    signal.throwIfAborted(),
  );
}
