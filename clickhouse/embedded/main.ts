import type { AddressInfo } from 'node:net';
import { createLogger, toHubError, userError } from '#kernel';
import { Admission } from './admission.ts';
import { Engine, refusal } from './engine/index.ts';
import type { Account } from './http/auth.ts';
import type { Front } from './http/exchange.ts';
import { createFront } from './http/server.ts';
import { Sessions } from './http/sessions.ts';
import { type ChildMessage, type ChildOptions, childOptionsSchema } from './options.ts';

/** The engine's own process: options come as the first message of the parent, which it does not outlive. */

/** Of the 10 s that a stop may take. */
const END_STATEMENTS_AFTER_MS = 5000;
const END_CONNECTIONS_AFTER_MS = 7000;
const EXIT_AFTER_MS = 9000;
const WAITING = 1000;
const SLOW_AFTER_MS = 250;

const log = createLogger({ role: 'clickhouse', level: process.env.BAC_LOG_LEVEL });
const tell = (message: ChildMessage): void => void process.send?.(message);

let front: Front | null = null;
const server = createFront(() => front);

process.once('message', (message) => {
  start(childOptionsSchema.parse(message)).catch((thrown: unknown) => {
    const error = toHubError(thrown);
    tell({ type: 'failed', code: error.code, message: error.message, next: error.next });
    process.disconnect();
    process.exitCode = 1;
    server.close();
  });
});

async function start(options: ChildOptions): Promise<void> {
  await listen(options.port);
  const engine = await Engine.open(options);
  const limits = { places: options.sessions, waiting: WAITING, slowAfterMs: SLOW_AFTER_MS };
  front = {
    engine,
    reads: new Admission(limits),
    inserts: new Admission(limits),
    accounts: accountsOf(options),
    sessions: new Sessions(engine),
    log,
    running: new Map(),
  };
  const started = front;
  const end = (): void => void stop(started);
  process.once('SIGTERM', end).once('disconnect', end);
  // Ctrl-C reaches the whole group; the parent decides when the engine is no longer needed.
  process.on('SIGINT', () => {});
  tell({ type: 'ready', port: (server.address() as AddressInfo).port });
}

function accountsOf(options: ChildOptions): Account[] {
  const accounts: Account[] = [{ user: options.user, password: options.password, readonly: false }];
  if (options.readonlyUser !== undefined) {
    accounts.push({ user: options.readonlyUser, password: options.readonlyPassword ?? '', readonly: true });
  }
  return accounts;
}

function listen(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EADDRINUSE') return reject(cause);
      reject(
        userError(
          'PORT_TAKEN',
          `Port ${port}, meant for ClickHouse, is taken.`,
          'Stop what uses it, or set BAC_CLICKHOUSE_PORT to another port (0 = any free one).',
          cause,
        ),
      );
    });
    server.listen(port, '127.0.0.1', resolve);
  });
}

/** Lets running statements end, then ends them, then the engine; exits whatever happens. */
async function stop({ engine, running, sessions }: Front): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  setTimeout(() => {
    for (const controller of running.values()) {
      controller.abort(refusal(236, 'ABORTED', 'The engine is stopping'));
    }
  }, END_STATEMENTS_AFTER_MS).unref();
  setTimeout(() => server.closeAllConnections(), END_CONNECTIONS_AFTER_MS).unref();
  // An exit with statements still running would tear the engine down under them.
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), EXIT_AFTER_MS).unref();
  await closed;
  sessions.close();
  await engine.close();
  process.exit(0);
}
