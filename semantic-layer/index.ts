export * from './access/index.ts';
export * from './check/index.ts';
export {
  type Answer,
  type CubeLayer,
  type CubeOptions,
  type CubeStatus,
  createCubeLayer,
  cubeInstalled,
} from './cube/index.ts';
export * from './generate/index.ts';
export { readModelFiles, readModelTests, SHIPPED_MODEL } from './model/index.ts';
export { Bell, type TableClock } from './results/index.ts';
export {
  type AskedShape,
  declaredRollups,
  proposalYaml,
  propose,
  type QuestionCount,
  QuestionLog,
  type QuestionShape,
  type Right,
  Rollups,
} from './rollups/index.ts';
export { openSqlApi, type SqlApi, type SqlApiOptions } from './sql-api/index.ts';
