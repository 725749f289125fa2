export { createApiKey } from './identity/index.ts';
export type { RoleName, RoleSettings } from './roles/index.ts';
export { type RoleProcess, startRole } from './supervisor/role-process.ts';
