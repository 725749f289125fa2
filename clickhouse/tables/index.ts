export {
  asideName,
  createDatabase,
  createHistory,
  createTable,
  historyName,
  type Layout,
  singleServer,
} from './ddl.ts';
export { type Evolution, evolve, nullableOf, planEvolution, type Step } from './evolve.ts';
export {
  type AppliedColumn,
  type AppliedTable,
  isNullable,
  keyColumns,
  parseComment,
  SYSTEM_COLUMNS,
  tableComment,
  wantedColumns,
  warehouseColumn,
} from './model.ts';
export { isUnchanged, readTable } from './state.ts';
