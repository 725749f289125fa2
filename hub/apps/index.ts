export { type HubRegistryOptions, openRegistry } from './registry.ts';
export { type OpenApps, openApps, startAppsWork } from './runtime.ts';
export { appsService } from './service.ts';
export { captureSchemas, followServer, OPERATIONAL_SOURCE } from './source.ts';
export type { AppSummary } from './summaries.ts';
