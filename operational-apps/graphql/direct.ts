import type { IncomingHttpHeaders } from 'node:http';
import {
  type ExecutionResult,
  execute,
  type GraphQLError,
  type GraphQLFormattedError,
  type GraphQLSchema,
  getOperationAST,
} from 'graphql';
import type { Logger } from '#kernel';
import type { GraphqlContext } from './context.ts';
import { Documents } from './documents.ts';
import { presentError } from './errors.ts';
import type { QueryLimits } from './limits.ts';

/** An answer that is known whole. */
export interface DirectAnswer {
  readonly direct: true;
  readonly status: 200;
  readonly contentType: string;
  readonly text: string;
}

/** The part of a request that decides whether it can be answered directly. */
export interface DirectRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** As parsed from JSON. */
  readonly body?: unknown;
}

/**
 * Answers a query or mutation sent as JSON without the detour over fetch's Request and Response, which costs more
 * than most queries. Everything unusual is left to the full handler, so that its errors are told in one way:
 * null for another method or media type, a persisted query, a subscription, a query that does not parse, is not
 * valid or beyond the limits, and variables that do not fit. Nothing has run then.
 */
export class DirectExecution {
  readonly #limits: QueryLimits;
  readonly #logger: Logger;
  readonly #compiledAfter: number;
  readonly #documents = new WeakMap<GraphQLSchema, Documents>();

  /** `compiledAfter`: see documents.ts. */
  constructor(limits: QueryLimits, logger: Logger, compiledAfter: number) {
    this.#limits = limits;
    this.#logger = logger;
    this.#compiledAfter = compiledAfter;
  }

  async answer(
    schema: GraphQLSchema,
    request: DirectRequest,
    context: () => GraphqlContext,
  ): Promise<DirectAnswer | null> {
    const contentType = answerType(request);
    const params = contentType === null ? null : paramsOf(request.body);
    if (contentType === null || params === null) return null;
    const known = this.#documentsOf(schema).of(params.query);
    if (!known) return null;
    const { document } = known;
    const operation = getOperationAST(document, params.operationName)?.operation;
    if (operation !== 'query' && operation !== 'mutation') return null;
    try {
      known.checkLimits(params.variables);
    } catch {
      return null;
    }
    const result = await (known.compiled()?.query(undefined, context(), params.variables) ??
      execute({
        schema,
        document,
        contextValue: context(),
        variableValues: params.variables,
        operationName: params.operationName ?? null,
      }));
    // Variables that do not fit: known before anything runs.
    if (!('data' in result)) return null;
    return {
      direct: true,
      status: 200,
      contentType: `${contentType}; charset=utf-8`,
      text: this.#text(result),
    };
  }

  #text(result: ExecutionResult): string {
    const { data, errors } = result;
    return JSON.stringify(errors ? { errors: errors.map((error) => this.#shown(error)), data } : { data });
  }

  /** Errors of a compiled query know their place in its text, and not the node. */
  #shown(error: GraphQLError): GraphQLFormattedError {
    const { message, locations = error.locations, ...more } = presentError(error, this.#logger).toJSON();
    return { message, ...(locations ? { locations } : {}), ...more };
  }

  #documentsOf(schema: GraphQLSchema): Documents {
    let known = this.#documents.get(schema);
    if (!known) {
      known = new Documents(schema, this.#limits, this.#compiledAfter);
      this.#documents.set(schema, known);
    }
    return known;
  }
}

const ANSWERS = ['application/json', 'application/graphql-response+json'];

/** The media type to answer with, as the full handler would choose; null = its business. */
function answerType({ method, url, headers }: DirectRequest): string | null {
  if (method !== 'POST' || url !== '/graphql' || !headers['content-type']?.startsWith('application/json'))
    return null;
  const { accept } = headers;
  return accept === undefined || accept === '*/*' ? ANSWERS[0]! : chosen(accept);
}

function chosen(accept: string): string | null {
  const wanted = accept.toLowerCase().replaceAll(' ', '');
  if (wanted.includes('charset=')) return null;
  const types = wanted.split(',').map((one) => one.split(';')[0]!);
  if (types.some((type) => type !== '*/*' && !ANSWERS.includes(type))) return null;
  return types[0] === '*/*' ? ANSWERS[0]! : types[0]!;
}

interface Params {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly operationName: string | undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function paramsOf(body: unknown): Params | null {
  if (!isObject(body)) return null;
  const { query, variables, operationName, ...rest } = body;
  if (typeof query !== 'string' || Object.keys(rest).length > 0) return null;
  if (variables != null && !isObject(variables)) return null;
  if (operationName != null && typeof operationName !== 'string') return null;
  return { query, variables: variables ?? {}, operationName: operationName ?? undefined };
}
