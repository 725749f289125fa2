import { setTimeout as sleep } from 'node:timers/promises';
import { toHubError } from '#kernel';
import type { TableClock } from '../results/index.ts';
import { type Answer, type LoadedAnswer, type MeanTheSame, stillTrue } from './answers.ts';

/** Between two readings a question rests this many times as long as the last one took, within these bounds; after the first, which may have had a model compiled, as briefly as can be. */
const REST_TIMES = 2;
const LEAST_REST_MS = 100;
const MOST_REST_MS = 10_000;
/** After a passing failure it is asked again this soon, then half as often each time. */
const RETRY_FIRST_MS = 500;
const RETRY_MOST_MS = 30_000;
/** What `today` means changes without an event: it is looked at this often, and read again where it cannot be told. */
const LOOK_MS = 10_000;
const UNTOLD_MS = 60_000;

/** What an answer stands on: the tables, and what ranges such as `today` mean. */
export interface Ground {
  readonly clock: TableClock;
  readonly mean: MeanTheSame;
  /** Default: 10 s. */
  readonly lookMs?: number;
}

/**
 * Gives the answer to `next`, and again each time the tables under it or the days it is about have changed and the
 * numbers are others. `next` is
 * awaited, so that whoever is slow gets the newest answer and no queue of them. Resolves when the signal aborts.
 * Rejects with what refuses the question, and with a failure that does not pass; one that passes before the
 * first answer, too.
 */
export async function follow(
  load: () => Promise<LoadedAnswer>,
  ground: Ground,
  next: (answer: Answer) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let told: string | null = null;
  let retry = RETRY_FIRST_MS;
  while (!signal.aborted) {
    const began = performance.now();
    try {
      const loaded = await load();
      retry = RETRY_FIRST_MS;
      if (signal.aborted) return;
      const numbers = numbersOf(loaded);
      const rest = told === null ? 0 : REST_TIMES * (performance.now() - began);
      if (numbers !== told) await next(loaded);
      told = numbers;
      await pause(Math.min(MOST_REST_MS, Math.max(LEAST_REST_MS, rest)), signal);
      await changed(ground, loaded, signal);
    } catch (thrown) {
      if (signal.aborted) return;
      if (told === null || toHubError(thrown).disposition !== 'transient') throw thrown;
      await pause(retry, signal);
      retry = Math.min(RETRY_MOST_MS, retry * 2);
    }
  }
}

async function changed(
  { clock, mean, lookMs = LOOK_MS }: Ground,
  { basis, ranges }: LoadedAnswer,
  signal: AbortSignal,
): Promise<void> {
  const every = ranges === null ? UNTOLD_MS : ranges.length > 0 ? lookMs : null;
  for (;;) {
    using look = every === null ? null : wakeAfter(every, signal);
    const until = look?.signal ?? signal;
    do {
      // Asked for before the look, so that what moves in between is heard.
      const moved = clock.moved(until);
      if (signal.aborted || !stillTrue(clock, basis)) return;
      await moved;
    } while (!until.aborted);
    if (signal.aborted || ranges === null || !(await mean(ranges))) return;
  }
}

/** A signal that aborts after `ms`, or with `signal`; disposing of it leaves nothing behind. */
function wakeAfter(ms: number, signal: AbortSignal): Disposable & { readonly signal: AbortSignal } {
  const own = new AbortController();
  const wake = (): void => own.abort();
  const timer = setTimeout(wake, ms);
  signal.addEventListener('abort', wake);
  return {
    signal: own.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      signal.removeEventListener('abort', wake);
    },
  };
}

/** The answer without when it was read. Quotes inside values are escaped: no value is taken for it. */
const numbersOf = ({ data }: LoadedAnswer): string =>
  data.toString().replaceAll(/"lastRefreshTime":"[^"]*"/g, '');

const pause = (ms: number, signal: AbortSignal): Promise<unknown> =>
  sleep(ms, undefined, { signal }).catch(() => undefined); // aborted: the caller looks at the signal
