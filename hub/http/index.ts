export type { Readiness } from './health.ts';
export { createHttpServer } from './server.ts';
export type { HubServices } from './services.ts';
