import { warehouseTableOf } from '#kernel';
import type { App } from '../definitions/index.ts';
import { type Catalog, type CatalogTable, type Queryable, readCatalog } from '../planner/catalog.ts';
import { isWidening } from '../planner/change-column.ts';
import type { PlanStep } from '../planner/index.ts';
import { tablesOf } from '../planner/model.ts';
import type { TableModel } from '../planner/table-model.ts';
import { objectOf } from './steps.ts';
import type { TableEffect } from './types.ts';

/**
 * What a plan does to the stream and the warehouse: the shapes there are (catalog) beside the shapes
 * there will be, for the tables that the plan's steps touch. `source` names the warehouse database.
 */
export async function effectsOf(
  client: Queryable,
  apps: readonly App[],
  steps: readonly PlanStep[],
  source: string,
): Promise<{ stream: TableEffect[]; warehouse: TableEffect[] }> {
  const catalog = await readCatalog(
    client,
    apps.map(({ name }) => name),
  );
  const touched = new Set(
    steps.flatMap((step) => {
      const object = objectOf(step);
      return object?.name ? [`${object.schema}.${object.name}`] : [];
    }),
  );
  const stream: TableEffect[] = [];
  const warehouse: TableEffect[] = [];
  const put = (schema: string, table: string, found: Found): void => {
    const { database, table: name } = warehouseTableOf({ source, schema, table });
    const { change, inStream, inWarehouse, onlyConfirmed = false } = found;
    stream.push({ table: `${schema}.${table}`, change, text: inStream, onlyConfirmed });
    warehouse.push({ table: `${database}.${name}`, change, text: inWarehouse, onlyConfirmed });
  };
  const kept = new Set<string>();
  for (const table of tablesOf(apps)) {
    const existing = existingOf(table, catalog);
    if (existing) kept.add(`${existing.schema}.${existing.name}`);
    if (!touched.has(`${table.schema}.${table.name}`) && existing?.name === table.name) continue;
    if (existing && existing.name !== table.name) put(existing.schema, existing.name, RENAMED);
    if (!existing || existing.name !== table.name) put(table.schema, table.name, BEGINS);
    else for (const found of columnEffects(table, existing)) put(table.schema, table.name, found);
  }
  for (const [key, { schema, name }] of catalog.tables)
    if (!kept.has(key) && touched.has(key)) put(schema, name, STOPS);
  return { stream, warehouse };
}

interface Found {
  readonly change: TableEffect['change'];
  readonly inStream: string;
  readonly inWarehouse: string;
  readonly onlyConfirmed?: boolean;
}

const BEGINS: Found = {
  change: 'begins',
  inStream: 'begins to be captured, with a snapshot of its rows',
  inWarehouse: 'is made',
};
const STOPS: Found = {
  change: 'stops',
  inStream: 'stops',
  inWarehouse: 'stays with its rows as they were last',
  onlyConfirmed: true,
};
const RENAMED: Found = {
  change: 'stops',
  inStream: 'stops under this name',
  inWarehouse: 'stays with its rows as they were last; the new name is another table',
};

const existingOf = (table: TableModel, catalog: Catalog): CatalogTable | undefined =>
  catalog.tables.get(`${table.schema}.${table.name}`) ??
  (table.renamedFrom ? catalog.tables.get(`${table.schema}.${table.renamedFrom}`) : undefined);

function columnEffects(table: TableModel, existing: CatalogTable): Found[] {
  const effects: Found[] = [];
  const words: string[] = [];
  const gone = new Map(existing.columns.map((column) => [column.name, column]));
  for (const column of table.columns) {
    const old =
      gone.get(column.name) ?? (column.renamedFrom === undefined ? undefined : gone.get(column.renamedFrom));
    if (!old) {
      words.push(`new ${column.name} ${column.type}`);
      continue;
    }
    gone.delete(old.name);
    if (old.name !== column.name) words.push(`${old.name} becomes ${column.name}`);
    if (old.type !== column.type)
      effects.push({
        change: 'anew',
        inStream: `starts a new snapshot: ${column.name} changes from ${old.type} to ${column.type}`,
        inWarehouse: `is built anew beside the old one and takes its place: ${column.name} as ${column.type}`,
        onlyConfirmed: !isWidening(old.type, column.type),
      });
  }
  if (words.length > 0)
    effects.unshift({
      change: 'columns',
      inStream: `goes on with a new schema version: ${words.join(', ')}`,
      inWarehouse: `is altered: ${words.join(', ')}`,
    });
  if (gone.size > 0) {
    const names = [...gone.keys()].join(', ');
    effects.push({
      change: 'columns',
      inStream: `goes on with a new schema version, without ${names}`,
      inWarehouse: `loses ${names}`,
      onlyConfirmed: true,
    });
  }
  return effects;
}
