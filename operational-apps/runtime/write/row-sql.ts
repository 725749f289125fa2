import { pgIdent } from '#kernel';
import {
  type Apps,
  byName,
  type ComputedField,
  columnsUnder,
  computedFields,
  computedSql,
  TENANT_SETTING,
} from '../../definitions/index.ts';
import { tablesOf } from '../../planner/model.ts';
import type { ColumnModel } from '../../planner/table-model.ts';
import type { Catalogue, EntityInfo } from '../model/catalogue.ts';

/** SQL of the values to be stored, by column: parameters, or expressions over other rows. */
export type Stored = ReadonlyMap<string, string>;

/** How rows of one entity are written: defaults and computed values in the same statement. */
export interface RowWriter {
  /** `INSERT ... RETURNING` all `columns`, in the order of `rows`; a column one of them leaves out has its default. */
  insert(rows: readonly Stored[]): string;
  /** `UPDATE ... RETURNING` all `columns`; `where` speaks of alias `t`. Quiet: the version stays as it is. */
  update(values: Stored, where: string, quiet?: boolean): string;
  /** Column and value of computed fields that look at other rows, over alias `t`. */
  readonly rollUps: Stored;
  readonly columns: readonly string[];
  /** SQL type of a column. */
  typeOf(column: string): string;
  /** `columns` of alias `t` as text, for a select list. */
  readonly columnsSql: string;
}

export function createRowWriters(catalogue: Catalogue): (entity: EntityInfo) => RowWriter {
  const tables = new Map(tablesOf(catalogue.apps).map((table) => [`${table.schema}.${table.name}`, table]));
  const apps = byName(catalogue.apps);
  const writers = new Map<string, RowWriter>();
  return (entity) => {
    let writer = writers.get(entity.path);
    if (!writer) {
      writer = rowWriter(apps, entity, tables.get(entity.path)!.columns);
      writers.set(entity.path, writer);
    }
    return writer;
  };
}

function rowWriter(apps: Apps, entity: EntityInfo, columns: readonly ColumnModel[]): RowWriter {
  const models = new Map(columns.map((column) => [column.name, column]));
  const computed = computedFields(apps, entity.model);
  const rollUps = computed.filter((one) => one.rollUp);
  const own = computed.filter((one) => !one.rollUp);
  const typed = (name: string, sql: string): string => `(${sql})::${models.get(name)!.type}`;
  const columnsSql = columns.map((column) => `t.${pgIdent(column.name)}::text`).join(', ');
  /** Columns a value is worked out from, computed ones it stands on followed down. */
  const bases = (one: ComputedField): ReadonlySet<string> => {
    const found = new Set<string>();
    const column = (name: string): string => {
      found.add(name);
      return pgIdent(name);
    };
    computedSql(computed, one, { column, tenant: TENANT_SETTING, variables: {} });
    return found;
  };
  const basesOf = new Map(computed.map((one) => [one, bases(one)]));
  const valueSql = (one: ComputedField, column: (name: string) => string): string =>
    `${computedSql(computed, one, { column, tenant: TENANT_SETTING, variables: {} })} AS ${pgIdent(one.field.name)}`;
  return {
    columns: columns.map((column) => column.name),
    typeOf: (column) => models.get(column)!.type,
    columnsSql,
    rollUps: new Map(
      rollUps.map((one) => [
        one.field.name,
        computedSql(computed, one, { column: columnsUnder('t'), tenant: TENANT_SETTING, variables: {} }),
      ]),
    ),
    insert(rows) {
      const needed = computed.flatMap((one) => [...basesOf.get(one)!]).filter((name) => name !== 'id');
      const names = [...new Set([...rows.flatMap((row) => [...row.keys()]), ...needed])].filter(
        (name) => !rollUps.some((one) => one.field.name === name),
      );
      const lines = rows.map((row) => {
        const values = names.map((name) => typed(name, row.get(name) ?? models.get(name)!.default ?? 'NULL'));
        return `(${values.join(', ')})`;
      });
      // A new row has no rows that point to it: roll-ups begin with what they are of none.
      const none = (name: string): string => (name === 'id' ? 'NULL::bigint' : `s0.${pgIdent(name)}`);
      let source = `(VALUES ${lines.join(', ')}) AS s0 (${names.map(pgIdent).join(', ')})`;
      if (rollUps.length > 0)
        source = `(SELECT s0.*, ${rollUps.map((one) => valueSql(one, none)).join(', ')} FROM ${source}) AS s1`;
      if (own.length > 0)
        source = `(SELECT s.*, ${own.map((one) => valueSql(one, columnsUnder('s'))).join(', ')} FROM (SELECT * FROM ${source}) AS s) AS s2`;
      const written = [...names, ...computed.map((one) => one.field.name)].map(pgIdent).join(', ');
      return `INSERT INTO ${entity.table} (${written}) SELECT ${written} FROM ${source} RETURNING ${columnsSql.replaceAll('t."', '"')}`;
    },
    update(values, where, quiet = false) {
      const touched = own.filter((one) => [...basesOf.get(one)!].some((name) => values.has(name)));
      const sets = [...values].map(([name, sql]) => `${pgIdent(name)} = ${typed(name, sql)}`);
      if (touched.length > 0) {
        const needed = new Set(touched.flatMap((one) => [...basesOf.get(one)!]));
        const first = [...needed].map((name) => {
          const value = values.get(name);
          return `${value === undefined ? `t.${pgIdent(name)}` : typed(name, value)} AS ${pgIdent(name)}`;
        });
        const list = touched.map((one) => pgIdent(one.field.name)).join(', ');
        const results = touched.map((one) => valueSql(one, columnsUnder('s'))).join(', ');
        sets.push(`(${list}) = (SELECT ${results} FROM (SELECT ${first.join(', ')}) AS s)`);
      }
      if (!quiet) sets.push('updated_at = now()', 'version = t.version + 1');
      return `UPDATE ${entity.table} t SET ${sets.join(', ')} WHERE ${where} RETURNING ${columnsSql}`;
    },
  };
}
