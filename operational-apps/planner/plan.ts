import { pgIdent, pgTable } from '#kernel';
import type { App } from '../definitions/index.ts';
import { accessStep, releasePolicies } from './access.ts';
import { type Catalog, type CatalogTable, type Queryable, readCatalog } from './catalog.ts';
import { changeColumn, columnSql } from './change-column.ts';
import { comments } from './comments.ts';
import { recompute } from './computed.ts';
import { addConstraint, addIndex, validate } from './constraints.ts';
import { roleSteps } from './database-roles.ts';
import { tablesOf } from './model.ts';
import { isOurs } from './names.ts';
import { numberingSteps } from './numbering.ts';
import { type Emit, PHASES, type Phase, type PlanStep } from './steps.ts';
import type { TableModel } from './table-model.ts';

export interface Plan {
  /** In the order in which they must run; empty = the database is as the definitions say. */
  readonly steps: readonly PlanStep[];
}

export interface PlanOptions {
  /** Nobody else is writing: indexes and rules are set in the quicker way that locks whole tables. */
  readonly offline?: boolean;
}

/**
 * Compares the definitions with the database and returns the steps between them. Reads only. The
 * catalog is the one memory: there is no migration history to go out of step. Running the plan, or
 * any prefix of it, and planning again gives what is left. Tables of the apps' schemas that no
 * definition names are dropped (destructive); other schemas are never touched.
 * Errors: PLAN_IMPOSSIBLE (user) if rows in place have no value for a new required field.
 */
export async function planApps(
  client: Queryable,
  apps: readonly App[],
  options: PlanOptions = {},
): Promise<Plan> {
  const catalog = await readCatalog(
    client,
    apps.map((app) => app.name),
  );
  return { steps: diff(apps, catalog, options) };
}

function diff(apps: readonly App[], catalog: Catalog, options: PlanOptions): PlanStep[] {
  const steps = new Map<Phase, PlanStep[]>(PHASES.map((phase) => [phase, []]));
  const emit: Emit = (phase, kind, sql, description, how) => {
    steps.get(phase)!.push({ sql, kind, description, ...how });
  };
  for (const { name } of apps)
    if (!catalog.schemas.has(name))
      emit('schema', 'additive', `CREATE SCHEMA ${pgIdent(name)}`, `new app ${name}`);
  if (catalog.trigrams?.there === false && apps.some(hasSearch))
    emit(
      'schema',
      'additive',
      'CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public',
      'trigrams, for search inside texts',
    );
  roleSteps(
    apps.map((app) => app.name),
    catalog,
    emit,
  );
  const kept = new Set<string>();
  const tables = tablesOf(apps, catalog.trigrams?.schema ?? null);
  const changing = columnsChangingType(tables, catalog);
  for (const table of tables) {
    const found = findTable(table, catalog, emit);
    const existing = found && releasePolicies(found, changing, emit);
    if (existing) kept.add(`${existing.schema}.${existing.name}`);
    if (existing) changeTable(table, existing, emit, options.offline === true);
    else createTable(table, emit);
    accessStep(table, existing, emit);
    comments(table, existing, emit);
  }
  for (const [key, table] of catalog.tables)
    if (!kept.has(key))
      emit(
        'drop',
        'destructive',
        `DROP TABLE ${pgTable(table.schema, table.name)} CASCADE`,
        `${key} is no longer defined`,
      );
  return PHASES.flatMap((phase) => steps.get(phase)!);
}

const hasSearch = (app: App): boolean => app.entities.some((entity) => entity.searchFields.length > 0);

function columnsChangingType(tables: readonly TableModel[], catalog: Catalog): Set<string> {
  return new Set(
    tables.flatMap((table) => {
      const existing =
        catalog.tables.get(`${table.schema}.${table.name}`) ??
        catalog.tables.get(`${table.schema}.${table.renamedFrom}`);
      return table.columns.flatMap((column) => {
        const old =
          existing?.columns.find((one) => one.name === column.name) ??
          existing?.columns.find((one) => one.name === column.renamedFrom);
        return old && old.type !== column.type ? [old.name] : [];
      });
    }),
  );
}

function findTable(table: TableModel, catalog: Catalog, emit: Emit): CatalogTable | null {
  const existing = catalog.tables.get(`${table.schema}.${table.name}`);
  if (existing) return existing;
  const former = table.renamedFrom ? catalog.tables.get(`${table.schema}.${table.renamedFrom}`) : undefined;
  if (!former) return null;
  emit(
    'rename',
    'additive',
    `ALTER TABLE ${pgTable(table.schema, former.name)} RENAME TO ${pgIdent(table.name)}`,
    `${table.schema}.${former.name} is now called ${table.name}`,
  );
  return former;
}

function createTable(table: TableModel, emit: Emit): void {
  const key = `PRIMARY KEY (${table.primaryKey.map(pgIdent).join(', ')})`;
  const checks = table.constraints.filter((one) => one.kind !== 'foreign');
  const lines = [
    ...table.columns.map(columnSql),
    key,
    ...checks.map((one) => `CONSTRAINT ${pgIdent(one.name)} ${one.definition}`),
  ];
  const at = `${table.schema}.${table.name}`;
  emit(
    'create',
    'additive',
    `CREATE TABLE ${pgTable(table.schema, table.name)} (\n  ${lines.join(',\n  ')}\n)`,
    `new table ${at}`,
  );
  for (const index of table.indexes) addIndex(table, index, emit, false);
  for (const one of table.constraints.filter((other) => other.kind === 'foreign'))
    addConstraint(table, one, emit, false);
}

function changeTable(table: TableModel, existing: CatalogTable, emit: Emit, offline: boolean): void {
  const at = `${table.schema}.${table.name}`;
  const here = pgTable(table.schema, table.name);
  const constraints = new Set(existing.constraints.map((one) => one.name));
  const valid = new Set(existing.constraints.filter((one) => one.valid).map((one) => one.name));
  const wanted = new Set(table.constraints.map((one) => one.name));
  const foreignFirst = [...existing.constraints].sort(
    (a, b) => Number(b.kind === 'f') - Number(a.kind === 'f'),
  );
  for (const one of foreignFirst)
    if (one.kind !== 'p' && isOurs(one.name) && !wanted.has(one.name))
      emit(
        'release',
        'additive',
        `ALTER TABLE ${here} DROP CONSTRAINT IF EXISTS ${pgIdent(one.name)} CASCADE`,
        `rule of ${at} no longer defined: ${one.definition}`,
      );
  const indexes = new Map(table.indexes.map((one) => [one.name, one]));
  const good = new Set(existing.indexes.filter((one) => one.valid).map((one) => one.name));
  for (const one of existing.indexes)
    if (isOurs(one.name) && !(one.valid && indexes.has(one.name)))
      emit(
        'release',
        'additive',
        `DROP INDEX ${pgTable(table.schema, one.name)}`,
        `index of ${at} no longer defined or not valid`,
      );

  const former = new Set<string>();
  for (const column of table.columns) {
    const name = changeColumn(table, column, existing, emit);
    if (name !== null) former.add(name);
  }
  recompute(table, existing, emit);
  numberingSteps(table, existing, emit);
  for (const old of existing.columns) {
    if (former.has(old.name)) continue;
    if (old.notNull && old.default === null)
      emit(
        'column',
        'additive',
        `ALTER TABLE ${here} ALTER COLUMN ${pgIdent(old.name)} DROP NOT NULL`,
        `${at}.${old.name} is no longer written`,
      );
    emit(
      'drop',
      'destructive',
      `ALTER TABLE ${here} DROP COLUMN ${pgIdent(old.name)}`,
      `${at}.${old.name} is no longer defined`,
    );
  }
  const online = !existing.empty && !offline;
  for (const one of table.constraints)
    if (!constraints.has(one.name)) addConstraint(table, one, emit, online);
    else if (!valid.has(one.name)) validate(table, one, emit);
  for (const [name, one] of indexes) if (!good.has(name)) addIndex(table, one, emit, online);
}
