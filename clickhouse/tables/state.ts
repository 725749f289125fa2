import type { Warehouse } from '#kernel';
import { type AppliedTable, parseComment, SYSTEM_COLUMNS, type TableState } from './model.ts';

const SYSTEM = new Set<string>(SYSTEM_COLUMNS);

async function readState(warehouse: Warehouse, database: string, table: string): Promise<TableState | null> {
  const [found] = await warehouse.query<{ comment: string }>(
    'SELECT comment FROM system.tables WHERE database = {database:String} AND name = {table:String}',
    { params: { database, table } },
  );
  return found === undefined ? null : parseComment(found.comment);
}

/** True if the table still has this shape: nobody has altered or replaced it since it was read. */
export async function isUnchanged(warehouse: Warehouse, applied: AppliedTable): Promise<boolean> {
  const state = await readState(warehouse, applied.database, applied.table);
  return (
    state !== null &&
    state.version === applied.version &&
    state.towards === applied.towards &&
    state.generation === applied.generation &&
    Object.keys(state.columns).length === applied.columns.length &&
    applied.columns.every(({ name, attnum }) => state.columns[name] === attnum)
  );
}

/** Reads what a table is from ClickHouse; null if it does not exist or is not the hub's. */
export async function readTable(
  warehouse: Warehouse,
  database: string,
  table: string,
): Promise<AppliedTable | null> {
  const state = await readState(warehouse, database, table);
  if (state === null) return null;
  const params = { database, table };
  const rows = await warehouse.query<{ name: string; type: string; comment: string }>(
    'SELECT name, type, comment FROM system.columns WHERE database = {database:String} AND table = {table:String}',
    { params },
  );
  const columns = rows.flatMap(({ name, type, comment }) => {
    const attnum = state.columns[name];
    return SYSTEM.has(name) || attnum === undefined ? [] : [{ attnum, name, type, comment }];
  });
  return {
    database,
    table,
    generation: state.generation,
    version: state.version,
    ...(state.towards === undefined ? {} : { towards: state.towards }),
    columns: columns.sort((a, b) => a.attnum - b.attnum),
    key: state.key,
    comment: state.comment ?? '',
  };
}
