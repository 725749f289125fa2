export {
  asideName,
  createDatabase,
  createHistory,
  createTable,
  historyName,
  type Layout,
} from './ddl.ts';
export { type Evolution, evolve, nullableOf, planEvolution, type Step } from './evolve.ts';
export {
  type AppliedColumn,
  type AppliedTable,
  isNullable,
  SYSTEM_COLUMNS,
  wantedColumns,
  warehouseColumn,
} from './model.ts';
export { isUnchanged, readTable } from './state.ts';
