import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { HubError, type Logger } from '#kernel';

const LOG_SETTINGS = fileURLToPath(new URL('log4j2.properties', import.meta.url));
const TAIL_LINES = 40;

export interface JavaOptions {
  readonly name: string;
  readonly classPath: string;
  readonly mainClass: string;
  readonly args: readonly string[];
  readonly heapMb: number;
  /** First compiler tier only: starts faster, runs slower. For tests, never for measuring. */
  readonly quickStart: boolean;
  readonly cwd: string;
  readonly log: Logger;
}

export interface JavaProcess {
  readonly pid: number;
  /** Resolves with its exit code (null: a signal) and the last lines it printed, whatever ended it. */
  readonly exited: Promise<{ readonly code: number | null; readonly said: string }>;
  /** SIGKILL, then waits until it is gone. */
  kill(): Promise<void>;
}

/** A Java program that dies with this process, however this process dies. */
export function startJava(options: JavaOptions): JavaProcess {
  const child = spawn(
    'java',
    [
      `-Xmx${options.heapMb}m`,
      '-XX:+UseSerialGC',
      '-Xshare:auto',
      ...(options.quickStart ? ['-XX:TieredStopAtLevel=1'] : []),
      `-Dlog4j2.configurationFile=${LOG_SETTINGS}`,
      '-cp',
      join(options.classPath, '*'),
      options.mainClass,
      ...options.args,
    ],
    // A terminal's Ctrl-C is for the harness, which stops things in order.
    { cwd: options.cwd, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  const tail: string[] = [];
  const take = (line: string): void => {
    options.log.debug({ server: options.name }, line);
    if (tail.push(line) > TAIL_LINES) tail.shift();
  };
  createInterface({ input: child.stdout }).on('line', take);
  createInterface({ input: child.stderr }).on('line', take);
  const exited = new Promise<{ code: number | null; said: string }>((resolve) => {
    child.once('error', (error) => resolve({ code: null, said: error.message }));
    child.once('close', (code) => resolve({ code, said: tail.join('\n') }));
  });
  if (child.pid !== undefined) guard(child);
  return {
    pid: child.pid ?? -1,
    exited,
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Runs a Java program to its end. Error: KAFKA_START_FAILED with its last words. */
export async function runJava(options: JavaOptions): Promise<void> {
  const { code, said } = await startJava(options).exited;
  if (code !== 0) throw startFailed(options.name, said);
}

export const startFailed = (name: string, said: string): HubError =>
  new HubError('KAFKA_START_FAILED', `${name} did not start: ${said.slice(-2000)}`);

/** A shell that waits for its input to end, which it does when this process is gone, and then kills the child. */
function guard(child: ChildProcess): void {
  const shell = spawn('sh', ['-c', 'read -r _; kill -9 "$0"', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  shell.unref();
  child.once('exit', () => shell.kill('SIGKILL'));
}
