export { DEFAULT_LIMITS, type QueryLimits } from './limits.ts';
export { buildSchema } from './schema.ts';
export {
  createGraphqlHandler,
  type GraphqlAnswer,
  type GraphqlCaller,
  type GraphqlHandler,
  type GraphqlOptions,
  type GraphqlRequest,
} from './server.ts';
