import type { IncomingHttpHeaders } from 'node:http';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import { type DocumentNode, type GraphQLSchema, parse } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import type { Logger, Principal } from '#kernel';
import type { ChangeFeed } from '../changes/index.ts';
import type { AppsRuntime, Client } from '../runtime/types.ts';
import type { GraphqlContext } from './context.ts';
import { type DirectAnswer, DirectExecution } from './direct.ts';
import { presentError } from './errors.ts';
import { checkLimits, DEFAULT_LIMITS, MAX_TOKENS, type QueryLimits } from './limits.ts';
import { Loaders } from './loaders.ts';
import { persistedQueries } from './persisted.ts';
import { buildSchema } from './schema.ts';

export interface GraphqlOptions {
  readonly runtime: AppsRuntime;
  readonly feed: ChangeFeed;
  readonly logger: Logger;
  /** Shows GraphiQL to browsers. */
  readonly development: boolean;
  readonly limits?: QueryLimits;
  /** A query that has come this often is compiled. Default 20. */
  readonly compiledAfter?: number;
}

/** What the HTTP server knows of a request: who asks, already authenticated and bound to a tenant. */
export interface GraphqlCaller {
  readonly principal: Principal;
  readonly requestId: string;
  /** Who waits for the answer. */
  readonly client?: Client;
}

/** An HTTP request as far as GraphQL over HTTP is concerned. */
export interface GraphqlRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** As parsed from JSON. */
  readonly body?: unknown;
  /** Ends what goes on; asked for only then. */
  readonly signal?: () => AbortSignal;
}

const COMPILED_AFTER = 20;

/** Most answers are known whole; the others (a stream, a page, a refusal) come as fetch's Response. */
export type GraphqlAnswer = DirectAnswer | Response;

export type GraphqlHandler = (request: GraphqlRequest, caller: GraphqlCaller) => Promise<GraphqlAnswer>;

/**
 * GraphQL over HTTP (POST, GET for queries, server-sent events for subscriptions) of all apps in force. The schema
 * follows the definitions: it is built anew when the runtime's revision moves, requests under way keep theirs.
 */
export function createGraphqlHandler(options: GraphqlOptions): GraphqlHandler {
  const { runtime, feed, logger, limits = DEFAULT_LIMITS } = options;
  let schema: { readonly revision: number; readonly built: GraphQLSchema } | null = null;
  const current = (): GraphQLSchema => {
    if (schema?.revision !== runtime.revision)
      schema = { revision: runtime.revision, built: buildSchema(runtime.apps) };
    return schema.built;
  };
  const contextOf = (caller: GraphqlCaller): GraphqlContext => {
    const { principal, requestId, client } = caller;
    const records = runtime.as(principal, { surface: 'graphql', requestId, client });
    return { principal, records, loaders: new Loaders(records), feed };
  };
  const direct = new DirectExecution(limits, logger, options.compiledAfter ?? COMPILED_AFTER);
  const yoga = createYoga<{ caller: GraphqlCaller }, GraphqlContext>({
    schema: current,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    graphiql: options.development,
    renderGraphiQL,
    cors: false,
    batching: false,
    multipart: false,
    logging: false,
    maskedErrors: { maskError: (error) => presentError(error, logger) },
    context: ({ caller }) => contextOf(caller),
    plugins: [bounded(limits), persistedQueries()],
  });
  return async (request, caller) => {
    const answer = await direct.answer(current(), request, () => contextOf(caller));
    if (answer) return answer;
    const { url, method, body, signal } = request;
    const init = {
      method,
      headers: single(request.headers),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal: signal() } : {}),
    };
    return yoga.fetch(`http://hub.invalid${url}`, init, { caller });
  };
}

/** Headers that came once; the body is written anew, so its length is not theirs to tell. */
const single = (headers: IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).filter(
      (header): header is [string, string] => typeof header[1] === 'string' && header[0] !== 'content-length',
    ),
  );

interface Execution {
  readonly args: { schema: GraphQLSchema; document: DocumentNode; variableValues?: unknown };
}

function bounded(limits: QueryLimits): Plugin {
  const check = ({ args }: Execution): void => {
    checkLimits(args.schema, args.document, (args.variableValues ?? {}) as Record<string, unknown>, limits);
  };
  return {
    onParse: ({ setParseFn }) =>
      setParseFn((source: string, rest: object) => parse(source, { ...rest, maxTokens: MAX_TOKENS })),
    onExecute: check,
    onSubscribe: check,
  };
}
