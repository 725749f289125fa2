import { chTable, HubError, type TableSchema, type Warehouse, warehouseTableOf } from '#kernel';
import { commentOf, createDatabase, createHistory, createReader, createTable } from './ddl.ts';
import { asideName, historyName, layoutOf, makingLayout, onAll, shardsOf } from './layout.ts';
import type { AppliedTable } from './model.ts';
import { readStored, readTable } from './state.ts';

const unfinished = (table: string): HubError =>
  new HubError('CLUSTER_DDL_UNFINISHED', `A shard has no table ${table} yet.`, {
    disposition: 'transient',
    next: 'See system.distributed_ddl_queue on any server of the cluster if this stays.',
  });

/** Creates a generation's table beside the live one, empty unless it is there. Resolves once every shard has it. */
export async function createAside(
  warehouse: Warehouse,
  schema: TableSchema,
  generation: number,
): Promise<void> {
  const layout = await makingLayout(warehouse);
  const { database, table } = warehouseTableOf(schema);
  const aside = asideName(table, generation);
  const shards = await shardsOf(warehouse);
  await onAll(warehouse, createDatabase(database, layout));
  await onAll(warehouse, createTable(schema, generation, aside, layout, shards.length));
  if (warehouse.cluster !== undefined) await onEveryShard(shards, database, aside);
}

async function onEveryShard(shards: readonly Warehouse[], database: string, table: string): Promise<void> {
  for (const shard of shards) {
    if ((await readStored(shard, true, database, table)) === null) throw unfinished(`${database}.${table}`);
  }
}

/**
 * Puts a table built aside in the live one's place. On one server RENAME fails if the live name is
 * taken, EXCHANGE if it is free; whichever fits. In a cluster the table that people read is created anew
 * over it. A table of that name that is not the hub's is left alone. Errors: TABLE_NOT_OURS (user).
 */
export async function makeLive(
  warehouse: Warehouse,
  database: string,
  table: string,
  aside: string,
): Promise<void> {
  const [live, built] = [chTable(database, table), chTable(database, aside)];
  const found = await warehouse.query<{ comment: string }>(
    'SELECT comment FROM system.tables WHERE database = {database:String} AND name = {table:String}',
    { params: { database, table } },
  );
  if (found.length > 0 && (await readTable(warehouse, database, table)) === null) {
    // In a cluster also when the rows behind the hub's own table are gone.
    const foreign = warehouse.cluster === undefined || !found[0]!.comment.startsWith('{"bac":1');
    if (foreign) throw notOurs(live);
  }
  if (warehouse.cluster !== undefined) {
    const applied = await readTable(warehouse, database, aside);
    if (applied === null) throw unfinished(built);
    await refreshReader(warehouse, { ...applied, table });
  } else if (found.length === 0) await warehouse.command(`RENAME TABLE ${built} TO ${live}`);
  else await warehouse.command(`EXCHANGE TABLES ${live} AND ${built}`);
}

const notOurs = (live: string): HubError =>
  new HubError('TABLE_NOT_OURS', `Table ${live} exists in ClickHouse and was not made by the hub.`, {
    next: 'Rename or drop it, or connect the source under another name.',
    disposition: 'user',
  });

/**
 * In a cluster: makes the table that people read what `applied` is, unless it is. A server that is down
 * gets it when it is back. Nothing on one server.
 */
export async function refreshReader(warehouse: Warehouse, applied: AppliedTable): Promise<void> {
  // Built aside: nobody reads it yet.
  if (warehouse.cluster === undefined || applied.table === applied.stored) return;
  const { database, table } = applied;
  const params = { database, table };
  const rows = await warehouse.query<{ comment: string; types: [string, string][] }>(
    `SELECT comment, (SELECT groupArray((name, type)) FROM system.columns
       WHERE database = {database:String} AND table = {table:String}) AS types
     FROM system.tables WHERE database = {database:String} AND name = {table:String}`,
    { params },
  );
  const types = new Map(rows[0]?.types);
  const same =
    rows[0]?.comment === commentOf(applied) &&
    applied.columns.every((column) => types.get(column.name) === column.type);
  if (!same) await onAll(warehouse, createReader(applied, layoutOf(warehouse)));
}

/**
 * In a cluster that has grown since the table was made: gives the new shards an empty one, because a
 * Distributed table asks all. Rows stay where they are until the next generation.
 */
export async function coverShards(
  warehouse: Warehouse,
  applied: AppliedTable,
  schema: TableSchema,
): Promise<void> {
  const added = (await shardsOf(warehouse)).slice(applied.shards);
  for (const shard of added) {
    if ((await readStored(shard, true, applied.database, applied.stored)) !== null) continue;
    const { generation, stored, shards } = applied;
    const layout = await makingLayout(warehouse);
    await onAll(warehouse, createTable(schema, generation, stored, layout, shards));
    return;
  }
}

/** The history's table, made if it is not there. Null while not every shard has it. */
export async function ensureHistory(
  warehouse: Warehouse,
  schema: TableSchema,
  generation: number,
): Promise<AppliedTable | null> {
  const layout = await makingLayout(warehouse);
  const { database, table } = warehouseTableOf(schema);
  const shards = await shardsOf(warehouse);
  await onAll(warehouse, createHistory(schema, generation, layout, shards.length));
  if (warehouse.cluster === undefined) return readTable(warehouse, database, historyName(table));
  const stored = await readTable(warehouse, database, layout.storedHistory(table));
  if (stored === null) return null;
  const history = { ...stored, table: historyName(table) };
  await refreshReader(warehouse, history);
  return history;
}
