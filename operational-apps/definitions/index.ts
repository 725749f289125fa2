export {
  type ComputedField,
  computedFields,
  computedSql,
  type RollUpSource,
  rollUpsOver,
} from './computed.ts';
export * from './expressions/index.ts';
export type { FieldModel } from './field-model.ts';
export { isHeldByDatabase } from './held.ts';
export { type AppFile, loadApps, parseApps } from './load.ts';
export {
  ADDRESS_PARTS,
  AMENDED_FROM,
  type App,
  columnsOf,
  type EntityModel,
  NUMBERING_TABLE,
  type PermissionModel,
  type RoleModel,
  resolvePath,
  SYSTEM_COLUMNS,
  type ViewModel,
} from './model.ts';
export type {
  ActionModel,
  AutomationModel,
  CheckModel,
  ChildRows,
  Effect,
  StateModel,
  StatesModel,
  TransitionModel,
  Trigger,
} from './model-behaviour.ts';
export { type Apps, byName, type Extra, type Place, scopeFor, typedExpression } from './places.ts';
export { formatProblem, type Problem } from './problems.ts';
export { type AppDefinition, appJsonSchema } from './schema/app.ts';
export type { Field, FieldType } from './schema/fields.ts';
export type { Numbering, Submittable } from './schema/life.ts';
export { BUILT_IN_ROLES, OPERATIONS, type Operation } from './schema/permissions.ts';
