import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ChangeLog, LogRecord } from '../../ports/change-log.ts';
import type { Command, Report } from '../fixtures/change-log-process.ts';

/** What an adapter gives to the contract suite. */
export interface ChangeLogUnderTest {
  readonly log: ChangeLog;
  /**
   * For tests with several processes: URL of a module that exports
   * `openLog(location: string): Promise<ChangeLog>`, and the location of this very log.
   */
  readonly module: string;
  readonly location: string;
  /** Closes `log` and removes what it stored. */
  stop(): Promise<void>;
}

export type OpenChangeLog = () => Promise<ChangeLogUnderTest>;

export const text = (value: string): LogRecord => ({ key: null, value: Buffer.from(value) });
export const numbers = (from: number, count: number): LogRecord[] =>
  Array.from({ length: count }, (_, index) => text(String(from + index)));

/** Resolves when `condition` holds; looks again after every turn of the event loop that brings news. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A promise to be settled from outside. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** Pseudo-random numbers in [0, 1) from a seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Another process that has the same log open. */
export interface LogProcess {
  readonly reports: readonly Report[];
  /** Called with every report as it arrives. */
  onReport: (report: Report) => void;
  send(command: Command): void;
  /** Ends it with SIGKILL and waits until it is gone and its last report has been heard. */
  kill(): Promise<void>;
}

const PROCESS = fileURLToPath(new URL('../fixtures/change-log-process.ts', import.meta.url));
const started = new Set<ChildProcess>();

export async function startProcess(under: ChangeLogUnderTest): Promise<LogProcess> {
  const child = fork(PROCESS, [under.module, under.location], { execArgv: [], stdio: 'inherit' });
  started.add(child);
  const reports: Report[] = [];
  // Not `exit`: reports may still be on their way.
  const gone = once(child, 'close').then(() => {
    started.delete(child);
  });
  const self: LogProcess = {
    reports,
    onReport: () => undefined,
    send: (command) => {
      // A process that is being killed does not take commands any more.
      child.send(command, () => undefined);
    },
    kill: async () => {
      child.kill('SIGKILL');
      await gone;
    },
  };
  const open = new Promise<void>((resolve, reject) => {
    child.on('message', (report: Report) => {
      reports.push(report);
      if (report.type === 'open') resolve();
      self.onReport(report);
    });
    void gone.then(() => reject(new Error('the process ended before it had opened the log')));
  });
  await open;
  return self;
}

/** Ends whatever a failed test left behind. */
export async function killProcesses(): Promise<void> {
  await Promise.all(
    [...started].map(async (child) => {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }),
  );
}
