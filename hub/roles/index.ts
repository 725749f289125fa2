export type { RoleName, RoleSettings } from './settings.ts';
