export { Connection, type InsertStream, type Outcome, type Params } from './connection.ts';
export { Engine, type EngineOptions, type Settings } from './engine.ts';
export { EngineError, refusal } from './engine-error.ts';
export type { Lease } from './pool.ts';
