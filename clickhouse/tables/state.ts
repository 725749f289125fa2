import type { Warehouse } from '#kernel';
import { historyName, layoutOf, shardsOf } from './layout.ts';
import { type AppliedTable, isNullable, parseComment, SYSTEM_COLUMNS, type TableState } from './model.ts';

const SYSTEM = new Set<string>(SYSTEM_COLUMNS);

const TABLE_COMMENT =
  'SELECT comment FROM system.tables WHERE database = {database:String} AND name = {table:String}';
const COLUMN_COMMENT =
  "SELECT comment FROM system.columns WHERE database = {database:String} AND table = {table:String} AND name = '_version'";

/** State of a table that holds rows. */
async function storedState(
  server: Warehouse,
  inCluster: boolean,
  database: string,
  table: string,
): Promise<TableState | null> {
  const [found] = await server.query<{ comment: string }>(inCluster ? COLUMN_COMMENT : TABLE_COMMENT, {
    params: { database, table },
  });
  return found === undefined ? null : parseComment(found.comment);
}

/** What the table that people read says in a cluster; null if there is none or it is not the hub's. */
async function readerState(
  warehouse: Warehouse,
  database: string,
  table: string,
): Promise<TableState | null> {
  const params = { database, table };
  const [found] = await warehouse.query<{ comment: string }>(`${TABLE_COMMENT} AND engine = 'Distributed'`, {
    params,
  });
  return found === undefined ? null : parseComment(found.comment);
}

/** True if the table still has this shape: nobody has altered or replaced it since it was read. */
export async function isUnchanged(warehouse: Warehouse, applied: AppliedTable): Promise<boolean> {
  const inCluster = warehouse.cluster !== undefined;
  for (const server of (await shardsOf(warehouse)).slice(0, applied.shards)) {
    const state = await storedState(server, inCluster, applied.database, applied.stored);
    if (state === null || !hasShape(state, applied)) return false;
  }
  return true;
}

const hasShape = (state: TableState, applied: AppliedTable): boolean =>
  state.version === applied.version &&
  state.towards === applied.towards &&
  state.generation === applied.generation &&
  Object.keys(state.columns).length === applied.columns.length &&
  applied.columns.every(({ name, attnum }) => state.columns[name] === attnum);

/** Reads what a table that holds rows is from one server; null if it does not exist or is not the hub's. */
export async function readStored(
  server: Warehouse,
  inCluster: boolean,
  database: string,
  stored: string,
): Promise<AppliedTable | null> {
  const state = await storedState(server, inCluster, database, stored);
  if (state === null) return null;
  const rows = await server.query<{ name: string; type: string; comment: string }>(
    'SELECT name, type, comment FROM system.columns WHERE database = {database:String} AND table = {table:String}',
    { params: { database, table: stored } },
  );
  const columns = rows.flatMap(({ name, type, comment }) => {
    const attnum = state.columns[name];
    return SYSTEM.has(name) || attnum === undefined ? [] : [{ attnum, name, type, comment }];
  });
  return {
    database,
    table: stored,
    stored,
    shards: state.shards ?? 1,
    generation: state.generation,
    version: state.version,
    ...(state.towards === undefined ? {} : { towards: state.towards }),
    columns: columns.sort((a, b) => a.attnum - b.attnum),
    key: state.key,
    comment: state.comment ?? '',
  };
}

/**
 * Reads what a table is from ClickHouse; null if it does not exist or is not the hub's. In a cluster
 * `table` is the one people read, or one built aside; shards that differ make it one that is on its way
 * (`towards`) to the newest of their shapes. Null as well while a shard lacks it.
 */
export async function readTable(
  warehouse: Warehouse,
  database: string,
  table: string,
): Promise<AppliedTable | null> {
  if (warehouse.cluster === undefined) return readStored(warehouse, false, database, table);
  const reader = await readerState(warehouse, database, table);
  const stored = reader === null ? table : storedBehind(warehouse, table, reader.generation);
  const shards = await shardsOf(warehouse);
  const parts: AppliedTable[] = [];
  for (const shard of shards) {
    const part = await readStored(shard, true, database, stored);
    if (part !== null) parts.push({ ...part, table });
    else if (parts.length < (parts[0]?.shards ?? 1)) return null;
    else break;
  }
  return agreed(parts);
}

const storedBehind = (warehouse: Warehouse, table: string, generation: number): string => {
  const { stored, storedHistory } = layoutOf(warehouse);
  const of = table.endsWith(HISTORY) ? table.slice(0, -HISTORY.length) : null;
  return of === null ? stored(table, generation) : storedHistory(of);
};

const HISTORY = historyName('');

/** One table out of its parts. A column is NOT NULL if it is on any shard: what is NULL then widens all. */
function agreed(parts: readonly AppliedTable[]): AppliedTable | null {
  const [first] = parts;
  if (first === undefined) return null;
  if (parts.every((part) => sameShape(part, first))) {
    const narrow = first.columns.map(
      (column, index) =>
        parts.map((part) => part.columns[index]!).find(({ type }) => !isNullable(type)) ?? column,
    );
    return { ...first, columns: narrow };
  }
  const least = parts.reduce((a, b) => (b.version < a.version ? b : a));
  return { ...least, towards: Math.max(...parts.map((part) => part.towards ?? part.version)) };
}

const names = ({ columns }: AppliedTable): string =>
  JSON.stringify(columns.map(({ attnum, name }) => [attnum, name]));

const sameShape = (a: AppliedTable, b: AppliedTable): boolean =>
  a.version === b.version && a.towards === b.towards && names(a) === names(b);
