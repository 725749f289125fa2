export type { Figure } from './figures.ts';
export { LOG_LEASE_SECONDS, renewLogLease } from './log-lease.ts';
export type { FromRole, ToRole } from './messages.ts';
export type { RoleName, RoleSettings } from './settings.ts';
