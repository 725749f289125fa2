import { pgIdent, pgLiteral, pgTable } from '#kernel';
import {
  type Apps,
  columnsUnder,
  compilePredicate,
  type EntityModel,
  type Operation,
  type PermissionModel,
  scopeFor,
  settingsContext,
  TENANT_SETTING,
  typedExpression,
} from '../definitions/index.ts';
import { APP_ROLE, EFFECTS_ROLE } from './database-roles.ts';
import { hashed } from './names.ts';
import type { PolicyModel } from './table-model.ts';

/** SQL commands and the operations a rule must allow for them. */
const COMMANDS = [
  ['SELECT', ['read']],
  ['INSERT', ['create', 'import']],
  ['UPDATE', ['update']],
  ['DELETE', ['delete']],
] as const satisfies readonly (readonly [string, readonly Operation[]])[];

/** These may do everything in their tenant, whatever the definitions say. */
const ALWAYS = ['owner', 'admin'];

const BOTH = `${APP_ROLE}, ${EFFECTS_ROLE}`;

/**
 * Row-level security of an entity's table: a restrictive policy holds every statement to the tenant of
 * the transaction; permissive ones let the principal's roles see and write the rows their rules speak of,
 * and the effects role all rows of the tenant. Without settings nothing matches. The owner of the table,
 * who fills and captures it, is let through by a policy of its own.
 */
export function entityPolicies(apps: Apps, entity: EntityModel): PolicyModel[] {
  const tenant = entity.tenantScoped ? `tenant_id = ${TENANT_SETTING}` : `${TENANT_SETTING} IS NOT NULL`;
  const policies = base(tenant);
  const all = `(SELECT bac.has_role(${list(ALWAYS)}))`;
  policies.push(policy('admin', `FOR ALL TO ${APP_ROLE} USING (${all}) WITH CHECK (${all})`));
  for (const [command, operations] of COMMANDS) {
    const sql = entity.owner
      ? asParent(apps, entity, command)
      : ruled(apps, entity, operations, columnsUnder(pgIdent(entity.name)));
    if (sql === null) continue;
    const clause = { SELECT: 'USING', DELETE: 'USING', INSERT: 'WITH CHECK', UPDATE: 'USING' }[command];
    const check = command === 'UPDATE' ? ` WITH CHECK (${sql})` : '';
    policies.push(policy(command.toLowerCase(), `FOR ${command} TO ${APP_ROLE} ${clause} (${sql})${check}`));
  }
  return policies;
}

/** Of a table only effects write, such as numbering series. */
export const effectsPolicies = (): PolicyModel[] => base(`tenant_id = ${TENANT_SETTING}`);

function base(tenant: string): PolicyModel[] {
  return [
    policy('tenant', `AS RESTRICTIVE FOR ALL TO ${BOTH} USING (${tenant}) WITH CHECK (${tenant})`),
    policy('effects', `FOR ALL TO ${EFFECTS_ROLE} USING (true) WITH CHECK (true)`),
    policy('table_owner', 'FOR ALL TO CURRENT_USER USING (true) WITH CHECK (true)'),
  ];
}

function policy(label: string, definition: string): PolicyModel {
  return { name: hashed(label, definition), definition };
}

const list = (roles: readonly string[]): string =>
  `ARRAY[${roles.map((role) => pgLiteral(role).trim()).join(', ')}]::text[]`;

/** What the rules for these operations say of a row; null if there is none. */
function ruled(
  apps: Apps,
  entity: EntityModel,
  operations: readonly Operation[],
  column: (name: string) => string,
): string | null {
  const rules = entity.permissions.filter((rule) => operations.some((one) => rule.can.includes(one)));
  const byPredicate = new Map<string | undefined, PermissionModel[]>();
  for (const rule of rules) byPredicate.set(rule.where, [...(byPredicate.get(rule.where) ?? []), rule]);
  const parts = [...byPredicate].map(([where, same]) => {
    const roles = [...new Set(same.flatMap((rule) => rule.roles))].sort();
    const who = roles.includes('everyone')
      ? `(${TENANT_SETTING} IS NOT NULL)`
      : `(SELECT bac.has_role(${list(roles)}))`;
    if (where === undefined) return who;
    const typed = typedExpression(where, scopeFor(apps, entity, 'where'));
    return `(${who} AND ${compilePredicate(typed, settingsContext(column))})`;
  });
  return parts.length === 0 ? null : parts.join(' OR ');
}

/** Rows of a child table are read as their parent is, and written by whoever may create or change it. */
function asParent(apps: Apps, entity: EntityModel, command: string): string | null {
  const parent = apps.get(entity.app)!.entities.find((one) => one.name === entity.owner!.entity)!;
  const alias = 'parent';
  const rows = `SELECT 1 FROM ${pgTable(parent.app, parent.name)} ${alias} WHERE ${
    parent.tenantScoped ? `${alias}.tenant_id = ${TENANT_SETTING} AND ` : ''
  }${alias}.id = ${pgIdent(entity.name)}.${pgIdent(`${parent.name}_id`)}`;
  if (command === 'SELECT') return `EXISTS (${rows})`;
  const may = ruled(apps, topOf(apps, parent), ['create', 'update'], columnsUnder(alias));
  if (parent.owner) return may === null ? null : `EXISTS (${rows}) AND ${mayWrite(apps, parent)}`;
  return may === null ? null : `EXISTS (${rows} AND (${may}))`;
}

/** For children of children: the roles alone; which rows they are is what the parent's own policy says. */
function mayWrite(apps: Apps, parent: EntityModel): string {
  const top = topOf(apps, parent);
  const roles = top.permissions
    .filter((rule) => rule.can.includes('create') || rule.can.includes('update'))
    .flatMap((rule) => rule.roles);
  return roles.includes('everyone')
    ? `(${TENANT_SETTING} IS NOT NULL)`
    : `(SELECT bac.has_role(${list([...new Set(roles)].sort())}))`;
}

function topOf(apps: Apps, entity: EntityModel): EntityModel {
  if (!entity.owner) return entity;
  return topOf(apps, apps.get(entity.app)!.entities.find((one) => one.name === entity.owner!.entity)!);
}
