import { pgLiteral } from '#kernel';
import type { SqlContext } from './sql.ts';

/** A setting of the transaction, looked up once a statement; NULL where it is not set. */
const setting = (name: string): string => `(SELECT nullif(current_setting('bac.${name}', true), ''))`;

/** SQL of the tenant the transaction acts in. */
export const TENANT_SETTING = setting('tenant');

/**
 * The principal's variables from the settings of the transaction, without parameters: for policies, and
 * wherever the same settings are in force. `bac.tenant`, `bac.user`, `bac.roles` (comma separated, those
 * included by others too) and `bac.attributes` (JSON).
 */
export const settingsContext = (column: SqlContext['column']): SqlContext => ({
  column,
  tenant: TENANT_SETTING,
  variables: {
    tenant: () => TENANT_SETTING,
    user: () => setting('user'),
    roles: () => "(SELECT string_to_array(current_setting('bac.roles', true), ','))",
    attributes: (member) =>
      `(SELECT nullif(current_setting('bac.attributes', true), '')::jsonb ->> ${pgLiteral(member ?? '').trim()})`,
  },
});
