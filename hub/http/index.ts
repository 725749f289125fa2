export { type Authenticator, createAuthenticator } from './auth.ts';
export { createApiKey, type KeyInfo, listApiKeys, revokeApiKey } from './keys.ts';
export { createHttpServer, type HttpServer, type HttpServerOptions } from './server.ts';
export type {
  DeadLetterChoice,
  HubServices,
  NewSource,
  VerifyReport,
  VerifyRequest,
} from './services.ts';
