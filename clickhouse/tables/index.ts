export { createDatabase, createHistory, createReader, createTable, dropTable } from './ddl.ts';
export { type Evolution, evolve, planEvolution, type Step, widen } from './evolve.ts';
export {
  asideName,
  clusterLayout,
  historyName,
  type Layout,
  layoutOf,
  makingLayout,
  onAll,
  shardsOf,
  singleServer,
  systemTable,
} from './layout.ts';
export {
  type AppliedColumn,
  type AppliedTable,
  isNullable,
  SYSTEM_COLUMNS,
  wantedColumns,
  warehouseColumn,
} from './model.ts';
export { coverShards, createAside, ensureHistory, makeLive, refreshReader } from './place.ts';
export { Sharder, shardingKey } from './shards.ts';
export { isUnchanged, readTable } from './state.ts';
