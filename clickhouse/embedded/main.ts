import type { AddressInfo } from 'node:net';
import { createLogger, toHubError, userError } from '#kernel';
import { Admission } from './admission.ts';
import { Engine } from './engine/index.ts';
import type { Account } from './http/auth.ts';
import type { Front } from './http/exchange.ts';
import { createFront } from './http/server.ts';
import { Sessions } from './http/sessions.ts';
import { type ChildMessage, type ChildOptions, childOptionsSchema } from './options.ts';

/** The engine's own process: options come as the first message of the parent, which it does not outlive. */

const STOP_WITHIN_MS = 8000;
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
  process.once('SIGTERM', () => void stop(engine));
  process.once('SIGINT', () => void stop(engine));
  process.once('disconnect', () => void stop(engine));
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
async function stop(engine: Engine): Promise<void> {
  setTimeout(() => process.exit(0), STOP_WITHIN_MS + 1000).unref();
  const running = front?.running ?? new Map<string, AbortController>();
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const late = setTimeout(() => {
    for (const controller of running.values()) controller.abort(new Error('The engine is stopping'));
    server.closeAllConnections();
  }, STOP_WITHIN_MS / 2);
  await closed;
  clearTimeout(late);
  front?.sessions.close();
  await engine.close();
  process.exit(0);
}
