export { type Applied, type ApplyOptions, applyPlan } from './apply.ts';
export type { Queryable } from './catalog.ts';
export { type Plan, planApps } from './plan.ts';
export type { PlanStep } from './steps.ts';
