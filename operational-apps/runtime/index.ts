export type { Denied } from './denied.ts';
export { OPERATORS as FILTER_OPERATORS } from './read/filter.ts';
export { type AppsRuntimeOptions, createAppsRuntime } from './runtime.ts';
export { prepareAppsLogin } from './sessions/index.ts';
export type * from './types.ts';
export {
  type AppsWorker,
  type AppsWorkerOptions,
  type AppsWorkerStats,
  createAppsWorker,
  listAutomationRuns,
  listDeliveries,
  resendDeliveries,
  type WebhookDelivery,
} from './worker/index.ts';
