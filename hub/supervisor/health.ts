import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Logger, toHubError } from '#kernel';
import { renderFigures } from './figures.ts';
import type { RoleProcess, RoleUnit } from './role-process.ts';
import type { Unit } from './unit.ts';

/** A role whose process says nothing for so long hangs; the container is then better begun anew. */
const HUNG_MS = 60_000;

export interface HealthOptions {
  readonly host: string;
  readonly port: number;
  readonly version: string;
  /** The roles of this process; empty until they are started. */
  readonly roles: () => readonly RoleUnit[];
  /** Whether everything that this process should run has been started once. */
  readonly started: () => boolean;
  readonly logger: Logger;
}

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * `/healthz` (this process lives and none of its roles hangs), `/readyz` (all roles run and what they
 * stand on answers) and `/metrics` of a process without the api. Read without a key, so there is
 * nothing on it but names of roles, words and numbers; reasons of failures go to the log.
 */
export async function serveHealth(options: HealthOptions): Promise<HealthServer> {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) => {
    answer(options, request)
      .catch((error: unknown) => {
        options.logger.error({ err: toHubError(error) }, 'health request failed');
        return { status: 500, text: '{"ok":false}' };
      })
      .then((result) => send(response, result));
  });
  server.maxConnections = 50;
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : options.port,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly type?: string;
}

async function answer(options: HealthOptions, request: IncomingMessage): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return { status: 405, text: '{"ok":false}' };
  switch (request.url?.split('?', 1)[0]) {
    case '/healthz':
      return alive(options);
    case '/readyz':
      return ready(options);
    case '/metrics':
      return {
        status: 200,
        type: 'text/plain; version=0.0.4; charset=utf-8',
        text: await renderFigures(options.roles(), options.version),
      };
    default:
      return { status: 404, text: '{"ok":false}' };
  }
}

function alive({ roles }: HealthOptions): Answer {
  const hung = roles().some(({ unit }) => {
    const running = unit.current();
    return running !== null && performance.now() - running.latest().at > HUNG_MS;
  });
  return { status: hung ? 503 : 200, text: JSON.stringify({ ok: !hung }) };
}

async function ready({ roles, started, logger }: HealthOptions): Promise<Answer> {
  const states = await Promise.all(
    roles().map(async ({ name, unit }) => [name, await stateOf(name, unit, logger)] as const),
  );
  const ok = started() && states.length > 0 && states.every(([, state]) => state.ready);
  return { status: ok ? 200 : 503, text: JSON.stringify({ ready: ok, roles: Object.fromEntries(states) }) };
}

interface RoleState {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, boolean>>;
}

async function stateOf(name: string, unit: Unit<RoleProcess>, logger: Logger): Promise<RoleState> {
  const running = unit.current();
  if (!running) return { ready: false, checks: {} };
  try {
    const { ready, checks } = await running.probe();
    if (!ready) logger.warn({ unit: name, checks }, 'not ready');
    return {
      ready,
      checks: Object.fromEntries(Object.entries(checks).map(([part, { ok }]) => [part, ok])),
    };
  } catch (error) {
    logger.warn({ unit: name, error: toHubError(error).toJSON() }, 'not ready');
    return { ready: false, checks: {} };
  }
}

function send(response: ServerResponse, { status, text, type = 'application/json' }: Answer): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(text);
}
