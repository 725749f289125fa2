import { chIdent, chLiteral, chTable, type TableSchema, type Warehouse } from '#kernel';
import { createTable, dropTable } from './ddl.ts';
import { makingLayout } from './layout.ts';
import { type AppliedTable, isNullable, SYSTEM_COLUMNS, wantedColumns } from './model.ts';

/**
 * Changes what ClickHouse cannot alter (a key column's name or type) by copying the table beside
 * itself and exchanging the two. Copied again after the exchange, so that rows which other writers
 * brought meanwhile are not lost; versions make the second copy harmless. One server only.
 */
export async function rebuild(
  warehouse: Warehouse,
  applied: AppliedTable,
  schema: TableSchema,
): Promise<void> {
  const beside = `${applied.table}__rebuild`;
  const [live, copy] = [chTable(applied.database, applied.table), chTable(applied.database, beside)];
  const old = new Map(applied.columns.map((column) => [column.attnum, column]));
  const shape = reduced(applied, schema);
  const kept = wantedColumns(shape);
  const names = [...kept.map((column) => chIdent(column.name)), ...SYSTEM_COLUMNS];
  const renamed = kept.filter((column) => old.get(column.attnum)?.name !== column.name);
  const raw =
    renamed.length === 0
      ? '_raw'
      : `mapFromArrays(arrayMap(k -> transform(k, [${renamed.map((column) => chLiteral(old.get(column.attnum)!.name))}], [${renamed.map((column) => chLiteral(column.name))}], k), mapKeys(_raw)), mapValues(_raw))`;
  const values = [
    ...kept.map((column) => chIdent(old.get(column.attnum)!.name)),
    raw,
    ...SYSTEM_COLUMNS.slice(1),
  ];
  const fill = (to: string, from: string): string =>
    `INSERT INTO ${to} (${names.join(', ')}) SELECT ${values.join(', ')} FROM ${from}`;
  await warehouse.command(dropTable(applied.database, beside));
  const layout = await makingLayout(warehouse);
  await warehouse.command(createTable(shape, applied.generation, beside, layout));
  await warehouse.command(fill(copy, live));
  await warehouse.command(`EXCHANGE TABLES ${live} AND ${copy}`);
  await warehouse.command(fill(live, copy));
  await warehouse.command(dropTable(applied.database, beside));
}

/** The wanted shape without columns that are still to be added, at the version that is applied, never narrower. */
function reduced(applied: AppliedTable, schema: TableSchema): TableSchema {
  const types = new Map(applied.columns.map((column) => [column.attnum, column.type]));
  const columns = schema.columns
    .filter((column) => types.has(column.attnum))
    .map((column) => ({
      ...column,
      nullable: column.nullable || isNullable(types.get(column.attnum) ?? ''),
    }));
  return { ...schema, version: applied.version, columns };
}
