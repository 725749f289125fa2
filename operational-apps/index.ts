export * from './definitions/index.ts';
export * from './demo/index.ts';
export * from './planner/index.ts';
export {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  freePort,
  startEmbeddedPostgres,
} from './store/embedded.ts';
