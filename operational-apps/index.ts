export * from './changes/index.ts';
export * from './definitions/index.ts';
export * from './demo/index.ts';
export * from './exchange/index.ts';
export * from './graphql/index.ts';
export * from './planner/index.ts';
export * from './registry/index.ts';
export * from './runtime/index.ts';
export {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from './store/embedded.ts';
export * from './warehouse/index.ts';
