export { administers, assertMayGive, assertNotTenantBound, tenantDenied } from './access.ts';
export { readAudit } from './audit-log.ts';
export type { Authenticator, Identified } from './authenticator.ts';
export { createIdentity, type Identity } from './identity.ts';
export {
  createApiKey,
  installApiKey,
  type KeyInfo,
  listApiKeys,
  revokeApiKey,
} from './keys.ts';
export { Limiter, rateLimited, visitorOf } from './limits.ts';
export { isLoopback } from './origin.ts';
export { principalOfPassword } from './password-keys.ts';
export { forbidden, unauthorised } from './refusals.ts';
export { confirmTotp, disableTotp, enrolTotp } from './second-factor.ts';
export { endSessions, listSessions } from './sessions.ts';
export { checkCredentials, reconfirm } from './sign-in.ts';
export { addTenant, assertTenant, ensureTenant, listTenants, TENANT_ID } from './tenants.ts';
export { startUpkeep } from './upkeep.ts';
export {
  addUser,
  changeUser,
  findUser,
  listUsers,
  principalOfUser,
  type User,
  type UserRow,
} from './users.ts';
