import { GraphQLError } from 'graphql';
import { HubError, type Logger, toHubError } from '#kernel';

/** Where in the variables a value is wrong, as graphql-js puts it into its sentence. */
const VARIABLE_PATH = /^Variable "[^"]+" got invalid value .* at "([^"]+)"/s;

/**
 * What a client sees of a failure: a HubError as its code, sentence, next step and details (`details.path` names
 * the field); mistakes in the query as GraphQL tells them; anything else as INTERNAL, its text only in the log.
 */
export function presentError(thrown: unknown, logger: Logger): GraphQLError {
  const outer = thrown instanceof GraphQLError ? thrown : null;
  const cause = outer ? (outer.originalError ?? outer) : thrown;
  const place = outer
    ? { nodes: outer.nodes, source: outer.source, positions: outer.positions, path: outer.path }
    : {};
  if (cause instanceof HubError && cause.disposition !== 'fatal') {
    return new GraphQLError(cause.message, {
      ...place,
      extensions: {
        code: cause.code,
        next: cause.next,
        ...(Object.keys(cause.details).length > 0 ? { details: cause.details } : {}),
      },
    });
  }
  if (outer && cause === outer) {
    const [, path] = VARIABLE_PATH.exec(outer.message) ?? [];
    return new GraphQLError(outer.message, {
      ...place,
      extensions: { code: 'QUERY_INVALID', ...outer.extensions, ...(path ? { details: { path } } : {}) },
    });
  }
  if (outer && outer.originalError instanceof GraphQLError) return presentError(outer.originalError, logger);
  logger.error({ err: toHubError(cause) }, 'GraphQL: a resolver failed');
  return new GraphQLError('The hub failed at this request.', {
    ...place,
    extensions: { code: 'INTERNAL', next: 'Look for the request id in the hub’s log.' },
  });
}
