export { createApiKey } from './keys.ts';
export { createHttpServer } from './server.ts';
export type { HubServices } from './services.ts';
