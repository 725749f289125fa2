import { pgIdent } from '#kernel';
import type { Catalog, CatalogTable } from './catalog.ts';
import type { Emit } from './steps.ts';
import type { TableModel } from './table-model.ts';

/** Database role in which principals' statements run. Neither can log in; the runtime's login is a member. */
export const APP_ROLE = 'bac_app';
/** Database role in which effects, numbering and roll-ups run: all rows of the tenant. */
export const EFFECTS_ROLE = 'bac_app_effects';

const ROLES = [APP_ROLE, EFFECTS_ROLE] as const;
const PRIVILEGES = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] as const;

/** Body of bac.has_role(text[]): does the principal have one of these roles. */
const HAS_ROLE = "SELECT coalesce(string_to_array(current_setting('bac.roles', true), ',') && wanted, false)";

/** Roles, the function policies ask, and the right to use schemas. */
export function roleSteps(schemas: readonly string[], catalog: Catalog, emit: Emit): void {
  const { access } = catalog;
  for (const role of ROLES)
    if (!access.roles.has(role))
      emit(
        'roles',
        'additive',
        // Roles belong to the server: another database's plan may be making it at this moment.
        `DO $body$ BEGIN CREATE ROLE ${role} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $body$`,
        `database role ${role}`,
      );
  if (!catalog.schemas.has('bac'))
    emit('roles', 'additive', 'CREATE SCHEMA IF NOT EXISTS bac', 'schema of the hub');
  if (access.hasRole !== HAS_ROLE)
    emit(
      'roles',
      'additive',
      `CREATE OR REPLACE FUNCTION bac.has_role(wanted text[]) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $body$${HAS_ROLE}$body$`,
      'function that policies ask for roles',
    );
  if (catalog.leaky.length > 0)
    emit(
      'roles',
      'additive',
      catalog.leaky.map((name) => `ALTER FUNCTION pg_catalog.${name} LEAKPROOF`).join(';\n'),
      'comparisons of numbers and LIKE may use indexes under row-level security',
    );
  for (const schema of ['bac', ...schemas])
    for (const role of ROLES)
      if (!access.usage.has(`${schema} ${role}`))
        emit(
          'access',
          'additive',
          `GRANT USAGE ON SCHEMA ${pgIdent(schema)} TO ${role}`,
          `${role} may use schema ${schema}`,
        );
}

/** Grants on a table that are not there yet. */
export function grantsFor(table: TableModel, at: string, existing: CatalogTable | null): string[] {
  const given = new Set(existing?.grants ?? []);
  const roles = table.access === 'effects' ? [EFFECTS_ROLE] : ROLES;
  return roles
    .filter((role) => PRIVILEGES.some((privilege) => !given.has(`${role} ${privilege}`)))
    .map((role) => `GRANT ${PRIVILEGES.join(', ')} ON ${at} TO ${role}`);
}
