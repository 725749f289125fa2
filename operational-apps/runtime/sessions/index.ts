export { prepareAppsLogin } from './login.ts';
export type { Outcome, Param, Statement, WireRow } from './pipeline.ts';
export {
  assertWaiting,
  codeOf,
  createSessions,
  type Identity,
  type Sessions,
  type SessionsOptions,
  type Step,
  type Transaction,
} from './sessions.ts';
