import { randomUUID } from 'node:crypto';
import Fastify, { type FastifyInstance, type FastifyRequest, LogController } from 'fastify';
import type { Pool } from 'pg';
import { z } from 'zod';
import type { ChangeLog, Config, Logger, Principal, Registry, Warehouse } from '#kernel';
import { HubError, toHubError } from '#kernel';
import { createStatusCollector } from '../status/index.ts';
import { type Authenticator, createAuthenticator, unauthorised } from './auth.ts';
import { readiness } from './health.ts';
import { createMetrics } from './metrics.ts';
import { isLoopback } from './origin.ts';
import { presentable, statusOf } from './problem.ts';
import { type AppsSurface, recordSurface } from './records/surface.ts';
import { openApi, type Route, registerRoutes } from './route.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { doctorRoutes } from './routes/doctor.ts';
import { keyRoutes } from './routes/keys.ts';
import { sourceRoutes } from './routes/sources.ts';
import { sqlRoutes } from './routes/sql.ts';
import { statusRoutes } from './routes/status.ts';
import { tableRoutes } from './routes/tables.ts';
import { verifyRoutes } from './routes/verify.ts';
import type { HubServices } from './services.ts';
import { OpenStreams } from './streams.ts';
import { serveWebApp } from './web-app.ts';

export interface HttpServerOptions {
  readonly config: Config;
  readonly pool: Pool;
  readonly registry: Registry;
  readonly log: ChangeLog;
  readonly warehouse: Warehouse;
  readonly logger: Logger;
  readonly services: HubServices;
  /** Serves the apps' records over REST and GraphQL; absent: this server has none. */
  readonly apps?: AppsSurface;
  /** Folder of the built web app (`dashboards/web/dist`). */
  readonly webRoot: string;
  /** Default: API keys of `bac.api_keys` and session cookies. */
  readonly authenticate?: Authenticator;
  /** Signs sessions; shared by all replicas, or null: made anew by each process. */
  readonly sessionSecret?: string | null;
  readonly version?: string;
  readonly startedAt?: Date;
  /** What `bac status` shows; default: this server's own address. */
  readonly addresses?: () => Readonly<Record<string, string>>;
}

export interface HttpServer {
  /** Binds `config.http`; PORT_TAKEN (user) if it cannot. */
  listen(): Promise<{ port: number }>;
  /** Ends open streams, waits for running requests, closes. Does not close what was injected. */
  close(): Promise<void>;
}

const MAX_BODY = 1024 * 1024;
const MAX_STREAMS = 200;

/** The hub's HTTP face: health, metrics, API and web app on one port. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { config, pool, log, warehouse } = options;
  const version = options.version ?? '0.1.0';
  let port = config.http.port;
  const collector = createStatusCollector({
    ...options,
    version,
    startedAt: options.startedAt ?? new Date(),
    addresses: options.addresses ?? (() => ({ http: `http://${hostInUrl(config.http.host)}:${port}` })),
  });
  const streams = new OpenStreams(MAX_STREAMS);
  const authenticator =
    options.authenticate ??
    createAuthenticator({ pool, ...config.http, secret: options.sessionSecret ?? null });
  const context = { ...options, collector, authenticator, streams };
  const surface = options.apps
    ? recordSurface({
        apps: options.apps,
        logger: options.logger,
        streams,
        development: isLoopback(config.http.host) && config.http.publicUrl === undefined,
        bound: (request, principal) => boundPrincipal(authenticator, request, principal),
      })
    : null;
  const routes: Route[] = [
    ...statusRoutes(context),
    ...sourceRoutes(context),
    ...tableRoutes(context),
    ...sqlRoutes(context),
    ...verifyRoutes(context),
    ...deadLetterRoutes(context),
    ...keyRoutes(context),
    ...doctorRoutes(context),
    ...(surface?.routes ?? []),
  ];
  const app: FastifyInstance = Fastify({
    loggerInstance: options.logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY,
    requestTimeout: 60_000,
    genReqId: () => randomUUID(),
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 400 },
  }) as unknown as FastifyInstance;
  const metrics = createMetrics();

  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    reply.header('x-content-type-options', 'nosniff');
    reply.header('referrer-policy', 'no-referrer');
    if (request.url.startsWith('/api/')) reply.header('cache-control', 'no-store');
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unmatched';
    metrics.observe(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
    request.log.debug(
      { method: request.method, path: route, status: reply.statusCode, ms: Math.round(reply.elapsedTime) },
      'request',
    );
  });
  app.setErrorHandler((thrown, request, reply) => {
    const error = presentable(thrown);
    const status = statusOf(error);
    if (status >= 500) request.log.error({ err: toHubError(thrown), cause: error.cause }, 'request failed');
    if (status === 401) reply.header('www-authenticate', 'Bearer');
    reply.status(status).send({ error: error.toJSON() });
  });

  app.get('/healthz', async () => ({ ok: true }));
  app.get('/readyz', async (_, reply) => {
    const result = await readiness({ pool, log, warehouse });
    if (!result.ready) reply.status(503);
    return result;
  });
  app.get('/metrics', async (request, reply) => {
    if (!(await authenticator.principal(request))) throw unauthorised('Metrics need an API key.');
    const status = await collector.status().catch((thrown) => {
      request.log.warn({ err: toHubError(thrown) }, 'metrics without status');
      return null;
    });
    const { contentType, text } = await metrics.render(status);
    return reply.header('content-type', contentType).send(text);
  });
  app.get('/api/v1/openapi.json', async (request) => {
    if (!(await authenticator.principal(request))) throw unauthorised('This needs an API key or a session.');
    return openApi(routes, version, surface?.openApi());
  });
  sessionRoutes(app, authenticator);
  registerRoutes(app, routes, authenticator);
  surface?.mount(app);

  return {
    async listen() {
      await serveWebApp(app, options.webRoot, authenticator);
      try {
        await app.listen({ host: config.http.host, port: config.http.port });
      } catch (thrown) {
        if ((thrown as { code?: string }).code !== 'EADDRINUSE') throw thrown;
        throw new HubError('PORT_TAKEN', `Port ${config.http.port} of ${config.http.host} is taken.`, {
          next: 'Stop what uses it, or set BAC_HTTP_PORT to another port (0 = any free one).',
          disposition: 'user',
        });
      }
      const address = app.server.address();
      if (address && typeof address === 'object') port = address.port;
      collector.start();
      return { port };
    },
    async close() {
      collector.close();
      streams.closeAll();
      await app.close();
    },
  };
}

/** The request's principal in the tenant it is about: its own, or the one an operator names. */
async function boundPrincipal(
  authenticator: Authenticator,
  request: FastifyRequest,
  principal?: Principal,
): Promise<Principal> {
  const who = principal ?? (await authenticator.principal(request));
  if (!who) throw unauthorised('This needs an API key or a session.');
  const named = request.headers['x-bac-tenant'];
  return who.tenant === null && typeof named === 'string' ? { ...who, tenant: named } : who;
}

const keySchema = z.strictObject({ key: z.string().trim().min(1).max(200) });

function sessionRoutes(app: FastifyInstance, authenticator: Authenticator): void {
  app.get('/api/v1/session', async (request) => {
    const principal = await authenticator.principal(request);
    if (!principal) throw unauthorised('There is no session.');
    return { user: principal.user, scopes: principal.scopes };
  });
  app.post('/api/v1/session', async (request, reply) => {
    const principal = await authenticator.login(request, reply, keySchema.parse(request.body ?? {}).key);
    if (!principal) throw unauthorised('That key is not valid.');
    return { user: principal.user, scopes: principal.scopes };
  });
  app.delete('/api/v1/session', async (_, reply) => {
    authenticator.logout(reply);
    return { ok: true };
  });
}

const hostInUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host);
