export type { GraphqlQuestion, ModelMatter, Plan, PlanPart, Refusal } from './calls.ts';
export { openPlanner, type Planner, type PlannerAbout } from './planner.ts';
