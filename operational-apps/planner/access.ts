import { pgIdent, pgTable } from '#kernel';
import type { CatalogTable } from './catalog.ts';
import { grantsFor } from './database-roles.ts';
import { isOurs } from './names.ts';
import type { Emit } from './steps.ts';
import type { TableModel } from './table-model.ts';

/**
 * Row-level security and grants of one table, as one step: its statements are one transaction, and new
 * policies are made before those they replace are dropped, so that there is no moment without.
 */
export function accessStep(table: TableModel, existing: CatalogTable | null, emit: Emit): void {
  const at = pgTable(table.schema, table.name);
  const there = new Set(existing?.policies.map((policy) => policy.name) ?? []);
  const wanted = new Set(table.policies.map((policy) => policy.name));
  const statements = [
    ...(existing?.rowSecurity ? [] : [`ALTER TABLE ${at} ENABLE ROW LEVEL SECURITY`]),
    ...(existing?.forced ? [] : [`ALTER TABLE ${at} FORCE ROW LEVEL SECURITY`]),
    ...table.policies
      .filter((policy) => !there.has(policy.name))
      .map((policy) => `CREATE POLICY ${pgIdent(policy.name)} ON ${at} ${policy.definition}`),
    ...[...there]
      .filter((name) => isOurs(name) && !wanted.has(name))
      .map((name) => `DROP POLICY ${pgIdent(name)} ON ${at}`),
    ...grantsFor(table, at, existing),
  ];
  if (statements.length > 0)
    emit(
      'access',
      'additive',
      statements.join(';\n'),
      `who may see and write rows of ${table.schema}.${table.name}`,
    );
}

/**
 * A column cannot change its type while a policy speaks of it: such policies are dropped before and made
 * again after. In between rows are seen by fewer, never by more: the policy of the tenant stays.
 */
export function releasePolicies(table: CatalogTable, columns: ReadonlySet<string>, emit: Emit): CatalogTable {
  const speaks = (text: string): boolean =>
    [...columns].some((name) => new RegExp(`\\b${name}\\b`).test(text));
  const released = table.policies.filter(
    (policy) => policy.permissive && isOurs(policy.name) && speaks(policy.text),
  );
  for (const policy of released)
    emit(
      'release',
      'additive',
      `DROP POLICY ${pgIdent(policy.name)} ON ${pgTable(table.schema, table.name)}`,
      `policy ${policy.name} of ${table.schema}.${table.name} waits for a column to change`,
    );
  return { ...table, policies: table.policies.filter((policy) => !released.includes(policy)) };
}
