import { chIdent, chLiteral, type Warehouse, type WarehouseCluster } from '#kernel';

/**
 * What differs between one server and a cluster. On one server the table that people read holds the
 * rows. In a cluster it is a Distributed table over `<table>__g<generation>`, which holds each shard's
 * part; another generation takes its place when the Distributed table is created anew, in one step.
 */
export interface Layout {
  readonly cluster: Pick<WarehouseCluster, 'name' | 'replicated'> | null;
  /** ON CLUSTER clause with a blank before it; empty on one server. */
  readonly onCluster: string;
  /** Table engine with its arguments. */
  readonly engine: (...args: string[]) => string;
  /** Name of the table that holds the rows of a live table. */
  readonly stored: (table: string, generation: number) => string;
  readonly storedHistory: (table: string) => string;
  /** SETTINGS clause of a table that holds rows. */
  readonly settings: string;
  /** Settings of statements with an ON CLUSTER clause. */
  readonly ddl: Readonly<Record<string, string | number>>;
  /** Settings of an ALTER. */
  readonly alter: Readonly<Record<string, number>>;
}

/** Table names derived from a warehouse table. */
export const asideName = (table: string, generation: number): string => `${table}__g${generation}`;
export const historyName = (table: string): string => `${table}__history`;

export const singleServer: Layout = {
  cluster: null,
  onCluster: '',
  engine: (...args) => (args.length === 0 ? 'ReplacingMergeTree' : `ReplacingMergeTree(${args.join(', ')})`),
  stored: (table) => table,
  storedHistory: historyName,
  settings: 'SETTINGS allow_nullable_key = 1',
  ddl: {},
  alter: { alter_sync: 2, mutations_sync: 2 },
};

/** `{uuid}` is the table's own, the same on all replicas: no two tables ever share a path. */
const KEEPER_PATH = "'/clickhouse/tables/{shard}/{uuid}', '{replica}'";

export const clusterLayout = (cluster: Pick<WarehouseCluster, 'name' | 'replicated'>): Layout => ({
  cluster,
  onCluster: ` ON CLUSTER ${chIdent(cluster.name)}`,
  engine: (...args) =>
    cluster.replicated
      ? `ReplicatedReplacingMergeTree(${[KEEPER_PATH, ...args].join(', ')})`
      : singleServer.engine(...args),
  stored: asideName,
  storedHistory: (table) => `${table}__history__local`,
  settings: singleServer.settings,
  // A server that is down does the statement when it is back. Nothing waits for it: what matters is
  // looked up afterwards, shard by shard.
  ddl: { distributed_ddl_task_timeout: 30, distributed_ddl_output_mode: 'null_status_on_timeout' },
  // The replica it is sent to; the others get it, with the data, from Keeper.
  alter: { alter_sync: 1, mutations_sync: 1 },
});

export const layoutOf = ({ cluster }: Warehouse): Layout =>
  cluster === undefined ? singleServer : clusterLayout(cluster);

const TIME_INDEXES = 'add_minmax_index_for_temporal_columns';

/**
 * The layout for making a table: with what its servers can do. Where all of them know the setting, each column of times
 * that is never NULL has a minmax index, which ClickHouse keeps true through every ALTER: a question about a month of a
 * table reads that month, and exactly so with FINAL. One replica of each shard is asked: they have one version.
 */
export async function makingLayout(warehouse: Warehouse): Promise<Layout> {
  const layout = layoutOf(warehouse);
  const servers = await shardsOf(warehouse);
  const able = await Promise.all(servers.map(knowsTimeIndexes));
  return able.includes(false) ? layout : { ...layout, settings: `${layout.settings}, ${TIME_INDEXES} = 1` };
}

async function knowsTimeIndexes(server: Warehouse): Promise<boolean> {
  const found = await server.query('SELECT 1 FROM system.merge_tree_settings WHERE name = {name:String}', {
    params: { name: TIME_INDEXES },
  });
  return found.length > 0;
}

/** The servers that hold the parts of a table: one on one server, else one per shard. */
export const shardsOf = async (warehouse: Warehouse): Promise<readonly Warehouse[]> =>
  warehouse.cluster === undefined ? [warehouse] : await warehouse.cluster.shards();

/** A statement on every server of the cluster. Idempotent ones only: it may be done later, or again. */
export function onAll(warehouse: Warehouse, sql: string): Promise<void> {
  const { ddl } = layoutOf(warehouse);
  return warehouse.command(sql, Object.keys(ddl).length === 0 ? {} : { settings: ddl });
}

/** `system.<table>` of one server, or of one replica of each shard. */
export const systemTable = ({ cluster }: Layout, table: string): string =>
  cluster === null ? `system.${table}` : `cluster(${chLiteral(cluster.name)}, system.${table})`;
