import { type ChildProcess, spawn } from 'node:child_process';
import { totalmem } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort, HubError, type Logger, userError } from '#kernel';
import { type ChildMessage, type ChildOptions, childMessageSchema } from './options.ts';

export interface EmbeddedClickHouseOptions {
  /** Folder of the engine's data; made if absent. One process at a time. */
  readonly dir: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** A second account that can neither write nor change settings. */
  readonly readonlyUser?: string;
  readonly readonlyPassword?: string;
  /** Statements that run at once: so many reads, and as many inserts beside them. */
  readonly sessions: number;
  /** Memory of all statements together. Default: half of the machine's, at most 8 GiB. */
  readonly maxMemoryBytes?: number;
  /** ClickHouse configuration (XML) to start from: clusters, macros. */
  readonly configFile?: string;
  readonly log: Logger;
}

export interface EmbeddedClickHouse {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when the engine's process has ended, for whatever reason. */
  readonly exited: Promise<void>;
  /** Ends it within 10 s; statements under way get half of that to finish. Nothing acknowledged is lost. */
  stop(): Promise<void>;
}

const GiB = 1024 ** 3;
const STOP_WITHIN_MS = 10_000;

/**
 * Starts the embedded ClickHouse engine as a process of its own that speaks ClickHouse's HTTP protocol on
 * loopback, and resolves once it answers. It ends when this process ends.
 * Errors (user): PORT_TAKEN, CLICKHOUSE_FOLDER_IN_USE, CLICKHOUSE_START_FAILED.
 */
export async function startEmbeddedClickHouse(
  options: EmbeddedClickHouseOptions,
): Promise<EmbeddedClickHouse> {
  const { log, ...rest } = options;
  const free = options.port === 0 ? await freePort() : options.port;
  const child = launch(options);
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const settings: ChildOptions = {
    ...rest,
    port: free,
    maxMemoryBytes: options.maxMemoryBytes ?? Math.floor(Math.min(totalmem() / 2, 8 * GiB)),
  };
  const port = await ready(child, settings, log);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    pid: child.pid!,
    exited,
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}

function launch({ sessions, log }: EmbeddedClickHouseOptions): ChildProcess {
  return spawn(process.execPath, ['--expose-gc', fileURLToPath(new URL('./main.ts', import.meta.url))], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: {
      ...process.env,
      NODE_OPTIONS: '',
      TZ: 'UTC',
      // A running statement holds one thread; reads and inserts may be twice `sessions` each.
      UV_THREADPOOL_SIZE: String(sessions * 4 + 8),
      BAC_LOG_LEVEL: log.level,
    },
  });
}

async function ready(child: ChildProcess, options: ChildOptions, log: Logger): Promise<number> {
  const tail: string[] = [];
  createInterface({ input: child.stderr! }).on('line', (line) => {
    log.debug({ server: 'clickhouse' }, line);
    if (tail.push(line) > 20) tail.shift();
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      reject(
        userError(
          'CLICKHOUSE_START_FAILED',
          `The ClickHouse engine ended at its start (${signal ?? code}): ${tail.slice(-3).join(' | ')}`,
          'See the log with BAC_LOG_LEVEL=debug.',
        ),
      ),
    );
    child.once('message', (raw) => {
      const message: ChildMessage = childMessageSchema.parse(raw);
      if (message.type === 'ready') return resolve(message.port);
      reject(new HubError(message.code, message.message, { next: message.next, disposition: 'user' }));
    });
    child.send(options);
  });
}
