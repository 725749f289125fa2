import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type AppsRuntime, type ChangeFeed, type Client, createGraphqlHandler } from '#apps';
import type { Logger, Principal } from '#kernel';
import type { Route } from '../route.ts';
import type { OpenStreams } from '../streams.ts';
import { exchangeRoutes } from './exchange.ts';
import { mountGraphql } from './graphql.ts';
import { recordsOpenApi } from './openapi.ts';
import { personalRoutes } from './personal.ts';
import { recordRoutes } from './routes.ts';
import { timelineRoutes } from './timeline.ts';

/** What serves the apps' records: the engine, and the live changes of what it writes. */
export interface AppsSurface {
  readonly runtime: AppsRuntime;
  readonly feed: ChangeFeed;
}

export interface RecordSurface {
  /** REST. */
  readonly routes: readonly Route[];
  /** GraphQL, and what REST needs of the server. */
  mount(app: FastifyInstance): void;
  /** Paths and schemas of the entities in force. */
  openApi(): ReturnType<typeof recordsOpenApi>;
}

/** REST and GraphQL over the records of the apps in force. */
export function recordSurface(options: {
  readonly apps: AppsSurface;
  readonly logger: Logger;
  readonly streams: OpenStreams;
  /** Shows GraphiQL. */
  readonly development: boolean;
  /** The request's principal bound to one tenant. */
  readonly bound: (request: FastifyRequest, principal?: Principal) => Promise<Principal>;
  /** Whether a request whose answer goes on would still be let in. */
  readonly stillGood: (request: FastifyRequest) => Promise<boolean>;
}): RecordSurface {
  const { apps, logger, streams, development, bound, stillGood } = options;
  const { runtime, feed } = apps;
  const graphql = createGraphqlHandler({ runtime, feed, logger, development });
  const records = async (request: FastifyRequest, principal: Principal, client: Client) =>
    runtime.as(await bound(request, principal), { surface: 'rest', requestId: request.id, client });
  return {
    // The engine binds every call to one tenant and keeps a trail of its own, with old and new values.
    routes: [
      ...recordRoutes(records),
      ...timelineRoutes(records),
      ...personalRoutes(records),
      ...exchangeRoutes(runtime, records, streams),
    ].map((entry) => ({
      ...entry,
      tenantSafe: true,
      audit: false,
    })),
    mount(app) {
      // A file is passed on as it arrives; the records engine bounds it.
      app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));
      mountGraphql(app, graphql, bound, streams, stillGood);
    },
    openApi: () => recordsOpenApi(runtime.apps),
  };
}
