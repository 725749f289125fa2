import { userError } from '#kernel';
import type { Core, CubeContext, CubeLibrary, GraphqlAnswer, GraphqlFailure } from './library.ts';
import type { GraphqlQuestion } from './planner/index.ts';

const MAX_TEXT = 50_000;
/** Questions in one document, each of which is a query of its own. */
const MAX_QUESTIONS = 20;

/** Schemas by the model they were made of; they go when it goes. */
const schemas = new WeakMap<object, object>();

/** Cube's own GraphQL schema of the context's model, answered without its web server. */
export async function graphqlOf(
  { graphql }: CubeLibrary,
  core: Core,
  context: CubeContext,
  { query, variables, operationName }: GraphqlQuestion,
): Promise<GraphqlAnswer> {
  if (query.length > MAX_TEXT)
    throw userError('QUERY_INVALID', 'The document is too long.', `Send at most ${MAX_TEXT} characters.`);
  const api = await core.getCompilerApi(context);
  const meta = await api.metaConfig(context, { requestId: context.requestId });
  let schema = schemas.get(api);
  if (!schema) {
    schema = graphql.makeSchema(meta);
    schemas.set(api, schema);
  }
  let document: ReturnType<typeof graphql.parse>;
  try {
    document = graphql.parse(query);
  } catch (error) {
    return { errors: [{ message: (error as Error).message }] };
  }
  const questions = document.definitions.reduce(
    (count, { selectionSet }) => count + (selectionSet?.selections.length ?? 0),
    0,
  );
  if (questions > MAX_QUESTIONS)
    throw userError(
      'QUERY_INVALID',
      'The document asks too much at once.',
      `Ask at most ${MAX_QUESTIONS} times "cube".`,
    );
  const wrong = graphql.validate(schema, document);
  if (wrong.length > 0) return { errors: wrong.map(messageOf) };
  const { data, errors } = await graphql.execute({
    schema,
    document,
    variableValues: variables,
    operationName,
    contextValue: { req: { context }, res: {}, apiGateway: core.apiGateway() },
  });
  return { data, ...(errors ? { errors: errors.map(messageOf) } : {}) };
}

const messageOf = ({ message }: GraphqlFailure): GraphqlFailure => ({ message });
