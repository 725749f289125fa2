import { pgIdent, pgTable } from '#kernel';
import {
  type Apps,
  columnsUnder,
  computedFields,
  computedSql,
  type EntityModel,
  type SqlContext,
} from '../definitions/index.ts';
import type { CatalogTable } from './catalog.ts';
import { named } from './names.ts';
import type { Emit } from './steps.ts';
import type { ColumnModel, ConstraintModel, TableModel } from './table-model.ts';

/**
 * Computed fields as the planner sees them. One that follows from its own row has a CHECK that holds it to
 * its expression: an ordinary column, because generated columns do not travel in every change stream. A
 * roll-up is kept by the runtime; its constraint says nothing but, by its name, what it is computed from.
 */
export function computedColumns(
  apps: Apps,
  entity: EntityModel,
): { columns: ReadonlyMap<string, Pick<ColumnModel, 'computed'>>; constraints: readonly ConstraintModel[] } {
  const fields = computedFields(apps, entity);
  const columns = new Map<string, Pick<ColumnModel, 'computed'>>();
  const constraints: ConstraintModel[] = [];
  const row = pgTable(entity.app, entity.name);
  const bare: SqlContext = { column: columnsUnder(null), tenant: '', variables: {} };
  const whole: SqlContext = { column: columnsUnder(row), tenant: `${row}."tenant_id"`, variables: {} };
  for (const one of fields) {
    const { name } = one.field;
    const sql = computedSql(fields, one, whole, true);
    const rule = one.rollUp
      ? named(entity.name, name, 'check', 'CHECK (true)', `roll-up ${sql}`)
      : named(
          entity.name,
          name,
          'check',
          `CHECK (${pgIdent(name)} IS NOT DISTINCT FROM ${computedSql(fields, one, bare)})`,
        );
    constraints.push(rule);
    columns.set(name, { computed: { sql, rule: rule.name } });
  }
  return { columns, constraints };
}

/** If one computed column is new or its rule has changed, all of the table are brought up to date at once. */
export function recompute(table: TableModel, existing: CatalogTable, emit: Emit): void {
  const computed = table.columns.flatMap((column) =>
    column.computed ? [{ name: column.name, ...column.computed }] : [],
  );
  const before = new Set(existing.constraints.map((one) => one.name));
  const changed = computed.filter((one) => !before.has(one.rule));
  if (existing.empty || changed.length === 0) return;
  const set = computed.map((one) => `${pgIdent(one.name)} = ${one.sql}`).join(', ');
  const differs = computed.map((one) => `${pgIdent(one.name)} IS DISTINCT FROM ${one.sql}`).join(' OR ');
  const names = changed.map((one) => one.name).join(', ');
  emit(
    'data',
    'data',
    `UPDATE ${pgTable(table.schema, table.name)} SET ${set} WHERE id > $1 AND id <= $2 AND (${differs})`,
    `${table.schema}.${table.name}: ${names} computed anew`,
    { pieces: pgTable(table.schema, table.name) },
  );
}
