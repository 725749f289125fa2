export { type Applied, type ApplyOptions, applyPlan } from './apply.ts';
export type { Queryable } from './catalog.ts';
export { APP_ROLE, EFFECTS_ROLE } from './database-roles.ts';
export { tablesOf } from './model.ts';
export { type Plan, type PlanOptions, planApps } from './plan.ts';
export type { PlanStep } from './steps.ts';
