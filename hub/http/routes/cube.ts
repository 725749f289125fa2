import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Principal } from '#kernel';
import type { Answer, CubeLayer } from '#semantic';
import type { Identity } from '../../identity/index.ts';
import { cubeFailure, cubeOptions, cubeQuery, MAX_QUERY } from '../cube-format.ts';
import { type Route, route } from '../route.ts';

const bodySchema = z.object({ query: cubeQuery, rollups: z.boolean().optional(), ...cubeOptions });
const querySchema = z.object({ query: z.string().max(MAX_QUERY), ...cubeOptions });
const graphqlBody = z.object({
  query: z.string().max(50_000),
  variables: z.record(z.string(), z.unknown()).nullish(),
  operationName: z.string().max(200).nullish(),
});

export interface CubeRoutesContext {
  readonly semantic: CubeLayer | null;
  readonly identity: Identity;
}

const ANSWER = 'As Cube’s REST API, with freshness, cached, tables, truncated and rollups.';

/** `x-bac-rollups: off` asks the tables themselves. */
const withoutRollups = (request: FastifyRequest): { rollups?: false } =>
  request.headers['x-bac-rollups'] === 'off' ? { rollups: false } : {};

/** Cube's REST and GraphQL APIs, for the hub's own principals. */
export function cubeRoutes({ semantic, identity }: CubeRoutesContext): Route[] {
  if (!semantic) return [];

  const answer = async (
    request: FastifyRequest,
    reply: FastifyReply,
    principal: Principal,
    work: (principal: Principal) => Promise<Answer>,
  ): Promise<undefined> => {
    const bound = { ...principal, tenant: await identity.tenantOf(request, principal) };
    try {
      const { status, body } = await work(bound);
      reply.status(status).header('content-type', 'application/json').send(body);
    } catch (thrown) {
      const { status, body } = cubeFailure(thrown, request.log);
      reply.status(status).send(body);
    }
  };

  const both = (
    path: string,
    summary: string,
    work: (
      principal: Principal,
      asked: {
        query: unknown;
        queryType?: string | undefined;
        cache?: string | undefined;
        rollups?: boolean | undefined;
      },
      signal: AbortSignal,
    ) => Promise<Answer>,
  ): Route[] => {
    const common = { path, summary, scope: 'read', tenantSafe: true, audit: false, answer: ANSWER } as const;
    return [
      route({
        ...common,
        method: 'GET',
        query: querySchema,
        handle: ({ request, reply, principal, query, signal }) =>
          answer(request, reply, principal, (who) =>
            work(who, { ...query, ...withoutRollups(request) }, signal),
          ),
      }),
      route({
        ...common,
        method: 'POST',
        body: bodySchema,
        handle: ({ request, reply, principal, body, signal }) =>
          answer(request, reply, principal, (who) =>
            work(who, { ...body, ...withoutRollups(request) }, signal),
          ),
      }),
    ];
  };

  return [
    ...both('/cubejs-api/v1/load', 'Answer a query of the semantic layer', semantic.rest.load),
    ...both(
      '/cubejs-api/v1/subscribe',
      'The same as load; answers that follow the data come over the websocket /cubejs-api/v1/live',
      semantic.rest.load,
    ),
    ...both('/cubejs-api/v1/sql', 'The SQL a query would run', (who, { query }) =>
      semantic.rest.sql(who, query),
    ),
    ...both('/cubejs-api/v1/dry-run', 'How a query is understood, without running it', (who, { query }) =>
      semantic.rest.dryRun(who, query),
    ),
    route({
      method: 'GET',
      path: '/cubejs-api/v1/meta',
      summary: 'Cubes and views with their members',
      scope: 'read',
      tenantSafe: true,
      query: z.object({ extended: z.string().optional() }),
      answer: 'As Cube’s REST API.',
      handle: ({ request, reply, principal }) => answer(request, reply, principal, semantic.rest.meta),
    }),
    route({
      method: 'GET',
      path: '/api/v1/semantic',
      summary: 'Models in use with what does not compile, and the results that are kept',
      scope: 'read',
      answer: 'Cube’s version and native module, models by profile, caches.',
      handle: async () => semantic.status(),
    }),
    route({
      method: 'POST',
      path: '/cubejs-api/graphql',
      summary: 'Cube’s GraphQL API',
      scope: 'read',
      tenantSafe: true,
      audit: false,
      body: graphqlBody,
      answer: 'A GraphQL answer; extensions hold freshness, cached, tables, truncated and rollups.',
      handle: ({ request, reply, principal, body, signal }) =>
        answer(request, reply, principal, (who) =>
          semantic.graphql(
            who,
            {
              query: body.query,
              ...(body.variables ? { variables: body.variables } : {}),
              ...(body.operationName ? { operationName: body.operationName } : {}),
            },
            signal,
            withoutRollups(request),
          ),
        ),
    }),
  ];
}
