import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { eventually } from './eventually.ts';

const MAIN = fileURLToPath(new URL('../../hub/main.ts', import.meta.url));

/** One process as a container runs it: `bac up --roles ...` with logs on standard output. */
export interface TestContainer extends AsyncDisposable {
  readonly pid: number;
  /** Where it answers: health, or the api's address. Known once it listens. */
  readonly url: Promise<string>;
  /** All lines on standard output and error so far. */
  readonly output: readonly string[];
  readonly exited: Promise<number | null>;
  get(path: string): Promise<{ status: number; text: string }>;
  /** Resolves when `/readyz` says 200. */
  ready(): Promise<void>;
  /** Pids of the role processes, from the process table. */
  kill(signal: NodeJS.Signals): void;
}

export function startContainer(
  roles: string,
  env: Readonly<Record<string, string>>,
  cwd?: string,
): TestContainer {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', MAIN, 'up', '--roles', roles],
    {
      cwd,
      env: {
        PATH: process.env.PATH,
        BAC_LOG_TO: 'stdout',
        BAC_DEMO: 'false',
        BAC_HTTP_PORT: '0',
        BAC_SQL_PORT: '0',
        BAC_HEALTH_PORT: '0',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const output: string[] = [];
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const address = Promise.withResolvers<string>();
  address.promise.catch(() => {}); // a test of a refused start does not ask for it
  const take = (line: string): void => {
    output.push(line);
    const [url] =
      (/"step":"health".*"msg":"(http[^"]+)"/.exec(line) ?? /"msg":"Open (http[^"]+)"/.exec(line))?.slice(
        1,
      ) ?? [];
    if (url) address.resolve(url);
  };
  createInterface({ input: child.stdout }).on('line', take);
  createInterface({ input: child.stderr }).on('line', take);
  void exited.then((code) => address.reject(new Error(`${roles} ended (${code}):\n${output.join('\n')}`)));
  const get = async (path: string): Promise<{ status: number; text: string }> => {
    const response = await fetch(new URL(path, await address.promise)).catch((cause: unknown) => {
      // What the process said last tells why nobody answers.
      throw new Error(`${roles} does not answer:\n${output.slice(-30).join('\n')}`, { cause });
    });
    return { status: response.status, text: await response.text() };
  };
  return {
    pid: child.pid!,
    url: address.promise,
    output,
    exited,
    get,
    async ready() {
      await address.promise;
      await eventually(
        async () => ((await get('/readyz')).status === 200 ? true : undefined),
        60_000,
        () => `${roles} not ready:\n${output.slice(-20).join('\n')}`,
      );
    },
    kill: (signal) => void child.kill(signal),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
      await exited;
      clearTimeout(late);
    },
  };
}
