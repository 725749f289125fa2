import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { allows, HubError, type Principal, type Scope } from '#kernel';
import { type Authenticator, unauthorised } from './auth.ts';

type Shape = z.ZodObject | undefined;
type Parsed<S extends Shape> = S extends z.ZodObject ? z.output<S> : Record<string, never>;

interface Call<P extends Shape, Q extends Shape, B extends Shape> {
  readonly params: Parsed<P>;
  readonly query: Parsed<Q>;
  readonly body: Parsed<B>;
  readonly principal: Principal;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
}

export interface Route<P extends Shape = Shape, Q extends Shape = Shape, B extends Shape = Shape> {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With `:name` parameters. */
  readonly path: string;
  readonly summary: string;
  readonly scope: Scope;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly answer: string;
  readonly contentType?: string;
  /** Resolves to a JSON value, or answers through `reply` and resolves undefined. */
  readonly handle: (call: Call<P, Q, B>) => Promise<unknown>;
}

/** Keeps the types of a route's schemas through to its handler. */
export function route<P extends Shape = undefined, Q extends Shape = undefined, B extends Shape = undefined>(
  definition: Route<P, Q, B>,
): Route {
  return definition as unknown as Route;
}

/** Registers the routes: principal, scope, schemas, then the handler. Nothing reaches a handler unchecked. */
export function registerRoutes(
  app: FastifyInstance,
  routes: readonly Route[],
  authenticator: Authenticator,
): void {
  for (const entry of routes) {
    app.route({
      method: entry.method,
      url: entry.path,
      handler: async (request, reply) => {
        const principal = await authenticator.principal(request);
        if (!principal) throw unauthorised('This needs an API key or a session.');
        if (!allows(principal, entry.scope)) throw forbidden(entry.scope);
        const abort = new AbortController();
        reply.raw.once('close', () => {
          if (!reply.raw.writableFinished) abort.abort();
        });
        const result = await entry.handle({
          params: parse(entry.params, request.params),
          query: parse(entry.query, request.query),
          body: parse(entry.body, request.body),
          principal,
          request,
          reply,
          signal: abort.signal,
        });
        return result === undefined ? reply : result;
      },
    });
  }
}

const parse = (schema: Shape, value: unknown): Record<string, never> =>
  schema ? (schema.parse(value ?? {}) as Record<string, never>) : {};

const forbidden = (scope: Scope): HubError =>
  new HubError('FORBIDDEN', `This needs the right "${scope}".`, {
    next: 'Use a key that has it; `bac keys list` shows the rights of each.',
    disposition: 'user',
  });

/** OpenAPI 3.1 of the route table, generated from the very schemas that check requests. */
export function openApi(
  routes: readonly Route[],
  version: string,
  more: { readonly paths: object; readonly schemas: object } = { paths: {}, schemas: {} },
): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const entry of routes) {
    const path = entry.path.replace(/:(\w+)/g, '{$1}');
    const parameters = [...parametersOf(entry.params, 'path'), ...parametersOf(entry.query, 'query')];
    paths[path] = {
      ...paths[path],
      [entry.method.toLowerCase()]: {
        operationId: `${entry.method.toLowerCase()}${path.replace('/api/v1', '').replace(/\W+(\w)?/g, (_, letter?: string) => letter?.toUpperCase() ?? '')}`,
        summary: entry.summary,
        'x-scope': entry.scope,
        ...(parameters.length ? { parameters } : {}),
        ...(entry.body
          ? {
              requestBody: {
                required: true,
                content: { 'application/json': { schema: jsonSchema(entry.body) } },
              },
            }
          : {}),
        responses: {
          200: { description: entry.answer, content: { [entry.contentType ?? 'application/json']: {} } },
          default: {
            description: 'What went wrong and what to do next.',
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
          },
        },
      },
    };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'BAC Hub', version },
    paths: { ...paths, ...more.paths },
    security: [{ key: [] }],
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
      schemas: { Error: ERROR_SCHEMA, ...more.schemas },
    },
  };
}

const ERROR_SCHEMA = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: {
        code: { type: 'string' },
        message: { type: 'string' },
        next: { type: 'string' },
        details: { type: 'object' },
      },
    },
  },
};

const jsonSchema = (schema: z.ZodObject): Record<string, unknown> => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
};

function parametersOf(schema: Shape, place: 'path' | 'query'): Record<string, unknown>[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = jsonSchema(schema) as {
    properties?: Record<string, unknown>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: property,
  }));
}
