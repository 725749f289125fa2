import { chIdent, type EntityDescription, type WarehouseTable } from '#kernel';
import { memberName } from './names.ts';

/** From one table's columns to another's key: each row on this side has at most one there. */
export interface Link {
  readonly columns: readonly string[];
  /** Topic of the other table. */
  readonly to: string;
  readonly toColumns: readonly string[];
}

/**
 * References and parents of an entity, then foreign keys that say something new. Entities are told apart by
 * `id` alone (unique over all tenants), so a foreign key that also has the tenant is the same link.
 */
export function linksOf(
  table: WarehouseTable,
  entity: EntityDescription | undefined,
  tables: ReadonlyMap<string, WarehouseTable>,
  entityTables: ReadonlyMap<string, WarehouseTable>,
): Link[] {
  const links: Link[] = [];
  const has = (name: string): boolean => table.schema.columns.some((column) => column.name === name);
  const add = (column: string, target: string): void => {
    const to = entityTables.get(target);
    if (!to || !has(column)) return;
    links.push({ columns: [column], to: to.topic, toColumns: ['id'] });
  };
  if (entity?.parent !== undefined) add(`${entity.parent.split('.').at(-1)}_id`, entity.parent);
  for (const field of entity?.fields ?? [])
    if (field.reference !== undefined) add(field.column, field.reference);
  for (const { columns, to, toColumns } of table.foreignKeys) {
    const target = tables.get(to);
    const known = links.some((link) => link.to === to && columns.includes(link.columns[0]!));
    if (!target || known || !isKey(target, toColumns) || !columns.every(has)) continue;
    links.push({ columns, to, toColumns });
  }
  return links;
}

/** Whether the columns include the table's key, so that they mean at most one row. */
const isKey = (table: WarehouseTable, columns: readonly string[]): boolean =>
  table.schema.keyRule === 'primary-key' && table.schema.key.every((name) => columns.includes(name));

/** `customer_id` -> `customer`; of several columns, those that are not the tenant's. */
export function roleOf(link: Link): string {
  const own = link.columns.filter((column) => column !== 'tenant_id');
  return memberName(own.map((column) => column.replace(/_id$/, '')).join('_'));
}

export const joinSql = (link: Link, cube: string): string =>
  link.columns
    .map((column, index) => `{CUBE}.${chIdent(column)} = {${cube}}.${chIdent(link.toColumns[index]!)}`)
    .join(' AND ');
