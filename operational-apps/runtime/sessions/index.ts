export { prepareAppsLogin } from './login.ts';
export type { Param } from './outbox.ts';
export type { Outcome, Statement, WireRow } from './pipeline.ts';
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
