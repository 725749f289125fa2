export { type AskedShape, type Proposal, proposalYaml, propose } from './advise.ts';
export { declaredRollups } from './declared.ts';
export { type Candidate, defineRollup } from './definition.ts';
export { type Alternative, type PlannerNote, withRollups } from './planner.ts';
export { type QuestionCount, QuestionLog, type QuestionShape } from './questions.ts';
export { type Instead, type RollupStatus, Rollups, type RollupsOptions } from './rollups.ts';
export type { Right } from './worker.ts';
