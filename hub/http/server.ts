import { randomUUID } from 'node:crypto';
import Fastify, { type FastifyInstance, type FastifyRequest, LogController } from 'fastify';
import type { Pool } from 'pg';
import type { ChangeLog, Config, Logger, Principal, Registry, Warehouse } from '#kernel';
import { HubError, toHubError } from '#kernel';
import type { CubeLayer, SqlApi } from '#semantic';
import {
  assertNotTenantBound,
  createIdentity,
  type Identity,
  isLoopback,
  unauthorised,
} from '../identity/index.ts';
import { createStatusCollector } from '../status/index.ts';
import { readiness } from './health.ts';
import { mountLive } from './live/index.ts';
import { createMetrics } from './metrics.ts';
import { openApi } from './openapi.ts';
import { presentable, statusOf } from './problem.ts';
import { type AppsSurface, recordSurface } from './records/surface.ts';
import { limitRequests } from './request-limits.ts';
import { RequestLog } from './request-log.ts';
import { type Route, registerRoutes } from './route.ts';
import { appRoutes } from './routes/apps.ts';
import { arrowRoutes } from './routes/arrow.ts';
import { auditRoutes } from './routes/audit.ts';
import { cubeRoutes } from './routes/cube.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { deliveryRoutes } from './routes/deliveries.ts';
import { doctorRoutes } from './routes/doctor.ts';
import { keyRoutes } from './routes/keys.ts';
import { meRoutes } from './routes/me.ts';
import { type ModelChecker, modelRoutes } from './routes/model.ts';
import { oidcRoutes } from './routes/oidc.ts';
import { sessionRoutes } from './routes/session.ts';
import { sourceRoutes } from './routes/sources.ts';
import { sqlRoutes } from './routes/sql.ts';
import { statusRoutes } from './routes/status.ts';
import { tableRoutes } from './routes/tables.ts';
import { tenantRoutes } from './routes/tenants.ts';
import { userRoutes } from './routes/users.ts';
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
  /** Answers questions about metrics; absent: this server has no semantic layer. */
  readonly semantic?: CubeLayer & ModelChecker;
  /** Answers SQL over the semantic layer; absent: this server has no Arrow. */
  readonly sql?: Pick<SqlApi, 'arrow'>;
  /** Folder of the built web app (`dashboards/web/dist`). */
  readonly webRoot: string;
  /** Default: made from `config` and `sessionSecret`. */
  readonly identity?: Identity;
  /** Signs sessions; shared by all replicas, or null: made anew by each process. */
  readonly sessionSecret?: string | null;
  /** Seal secrets in the database: the one in force, then older ones. */
  readonly sealSecrets?: readonly string[];
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
  const identity =
    options.identity ??
    createIdentity({
      pool,
      config,
      sessionSecret: options.sessionSecret ?? null,
      sealSecrets: options.sealSecrets ?? [],
    });
  const { authenticator } = identity;
  const context = { ...options, collector, identity, streams };
  const surface = options.apps
    ? recordSurface({
        apps: options.apps,
        logger: options.logger,
        streams,
        development: isLoopback(config.http.host) && config.http.publicUrl === undefined,
        bound: (request, principal) => boundPrincipal(identity, request, principal),
        stillGood: authenticator.stillGood,
      })
    : null;
  const routes: Route[] = [
    ...statusRoutes(context),
    ...appRoutes(context),
    ...sourceRoutes(context),
    ...tableRoutes(context),
    ...sqlRoutes(context),
    ...verifyRoutes(context),
    ...deadLetterRoutes(context),
    ...deliveryRoutes(context),
    ...sessionRoutes(context),
    ...meRoutes(context),
    ...oidcRoutes(context),
    ...tenantRoutes(context),
    ...userRoutes(context),
    ...keyRoutes(context),
    ...auditRoutes(context),
    ...doctorRoutes(context),
    ...cubeRoutes({ identity, semantic: options.semantic ?? null }),
    ...arrowRoutes({ identity, streams, sql: options.sql ?? null }),
    ...modelRoutes(options.semantic ?? null),
    ...(surface?.routes ?? []),
  ];
  const app: FastifyInstance = Fastify({
    loggerInstance: options.logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY,
    requestTimeout: 60_000,
    childLoggerFactory: (parent, bindings) => new RequestLog(parent, bindings),
    genReqId: () => randomUUID(),
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 400 },
    trustProxy: trustedProxies(config),
  }) as unknown as FastifyInstance;
  const metrics = createMetrics();
  const tellsRequests = options.logger.isLevelEnabled('debug');

  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    reply.header('x-content-type-options', 'nosniff');
    reply.header('referrer-policy', 'no-referrer');
    if (request.url.startsWith('/api/')) reply.header('cache-control', 'no-store');
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unmatched';
    metrics.observe(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
    if (tellsRequests)
      request.log.debug(
        { method: request.method, path: route, status: reply.statusCode, ms: Math.round(reply.elapsedTime) },
        'request',
      );
    done();
  });
  const limits = limitRequests(app, config.limits, authenticator);
  app.setErrorHandler((thrown, request, reply) => {
    const error = presentable(thrown);
    const status = statusOf(error);
    if (status >= 500) request.log.error({ err: toHubError(thrown), cause: error.cause }, 'request failed');
    if (status === 401) reply.header('www-authenticate', 'Bearer');
    const { retryAfterSeconds } = error.details;
    if (status === 429 && retryAfterSeconds) reply.header('retry-after', String(retryAfterSeconds));
    reply.status(status).send({ error: error.toJSON() });
  });

  app.get('/healthz', async () => ({ ok: true }));
  app.get('/readyz', async (request, reply) => {
    const { ready, checks } = await readiness({ pool, log, warehouse });
    if (!ready) {
      // Reasons name hosts and users, and anybody may ask.
      request.log.warn({ checks }, 'not ready');
      reply.status(503);
    }
    return {
      ready,
      checks: Object.fromEntries(Object.entries(checks).map(([name, { ok }]) => [name, { ok }])),
    };
  });
  app.get('/metrics', async (request, reply) => {
    const principal = await authenticator.principal(request);
    if (!principal) throw unauthorised('Metrics need an API key.');
    assertNotTenantBound(principal);
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
  registerRoutes(app, routes, context);
  surface?.mount(app);
  if (options.semantic) mountLive(app, { semantic: options.semantic, identity, limits }, streams);

  return {
    async listen() {
      const sealed = await identity.sealStored();
      if (sealed > 0) options.logger.info({ sealed }, 'secrets of second factors sealed');
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
      await identity.close();
    },
  };
}

/** The request's principal in the tenant it is about: its own, or the one an operator names. */
async function boundPrincipal(
  identity: Identity,
  request: FastifyRequest,
  principal?: Principal,
): Promise<Principal> {
  const { authenticator } = identity;
  const who = principal ?? authenticator.known(request) ?? (await authenticator.principal(request));
  if (!who) throw unauthorised('This needs an API key or a session.');
  const tenant = await identity.tenantOf(request, who);
  return tenant === who.tenant ? who : { ...who, tenant };
}

/** Whose X-Forwarded-For is believed; where the hub stands behind a proxy, it is one of a private network. */
const trustedProxies = ({ http }: Config): string[] | false =>
  http.trustedProxies ?? (http.publicUrl === undefined ? false : ['loopback', 'linklocal', 'uniquelocal']);

const hostInUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host);
