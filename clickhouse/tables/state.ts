import type { Warehouse } from '#kernel';
import { type AppliedTable, parseComment, SYSTEM_COLUMNS } from './model.ts';

const SYSTEM = new Set<string>(SYSTEM_COLUMNS);

/** Reads what a table is from ClickHouse; null if it does not exist or is not the hub's. */
export async function readTable(
  warehouse: Warehouse,
  database: string,
  table: string,
): Promise<AppliedTable | null> {
  const params = { database, table };
  const [found] = await warehouse.query<{ comment: string }>(
    'SELECT comment FROM system.tables WHERE database = {database:String} AND name = {table:String}',
    { params },
  );
  const state = found === undefined ? null : parseComment(found.comment);
  if (state === null) return null;
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
    columns: columns.sort((a, b) => a.attnum - b.attnum),
    key: state.key,
    comment: state.comment ?? '',
  };
}
