export {
  type Expression,
  ExpressionError,
  expressionSql,
  fieldsOf,
  parseExpression,
} from './expression.ts';
export type { Field, FieldType } from './fields.ts';
export { type AppFile, loadApps, parseApps } from './load.ts';
export {
  ADDRESS_PARTS,
  type App,
  columnsOf,
  type EntityModel,
  type FieldModel,
  NUMBERING_TABLE,
  resolvePath,
  SYSTEM_COLUMNS,
} from './model.ts';
export { formatProblem, type Problem } from './problems.ts';
export { type AppDefinition, appJsonSchema, type Numbering, type States } from './schema.ts';
