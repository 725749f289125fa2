import type { Readable } from 'node:stream';

/**
 * Warehouse: ClickHouse over HTTP, embedded engine or server alike. Adapter: clickhouse/client.ts
 * around `@clickhouse/client`. Contract suite: kernel/contracts/warehouse.ts.
 *
 * Errors: HubError with code `WAREHOUSE_<CLICKHOUSE_NAME>` (e.g. WAREHOUSE_UNKNOWN_TABLE),
 * `details.clickhouseCode`; disposition `transient` for lost connections, engine restarts, timeouts,
 * memory pressure and too many parts, `user` for syntax and unknown names, else `fatal`.
 */
export interface Warehouse {
  /** DDL and other statements without a result. */
  command(sql: string, options?: QueryOptions): Promise<void>;
  /** A small result as objects (JSONEachRow; 64-bit integers as strings). Never for unbounded results. */
  query<Row>(sql: string, options?: QueryOptions): Promise<Row[]>;
  /** Raw bytes of any format, streamed. Destroying the stream cancels the query. */
  stream(sql: string, format: string, options?: QueryOptions): Promise<Readable>;
  /**
   * Inserts `body` with the statement `insert` (everything before FORMAT, e.g.
   * "INSERT INTO `a`.`b` (`x`)" or "INSERT INTO t SELECT ... FROM input('...')"). Resolves when
   * ClickHouse has accepted the whole body; a body that errors half-way fails the insert.
   * A Buffer body is retried by the client on lost connections, a stream is not.
   */
  insert(insert: string, format: string, body: Buffer | Readable, options?: QueryOptions): Promise<void>;
  ping(): Promise<boolean>;
  close(): Promise<void>;
  /** Set if the server is a cluster whose tables are spread over shards. */
  readonly cluster?: WarehouseCluster;
}

/**
 * A ClickHouse cluster as the hub writes to it: what is inserted goes straight to one replica of the
 * shard it belongs to; what is read goes through Distributed tables on any host.
 */
export interface WarehouseCluster {
  /** Name in the servers' `remote_servers`. */
  readonly name: string;
  /** Tables are replicated within their shard. */
  readonly replicated: boolean;
  /** Settings of every insert (quorum). */
  readonly insertSettings: Readonly<Record<string, string | number>>;
  /**
   * One warehouse per shard, in the order of the cluster's definition. Each keeps to one replica while
   * that answers, so that a statement sees what the one before it wrote.
   * Errors: CLUSTER_SHARD_UNREACHABLE (transient), CLUSTER_UNKNOWN, CLUSTER_WEIGHTS (user).
   */
  shards(): Promise<readonly Warehouse[]>;
  /**
   * Resolves when every replica that answers has all rows of `<database>.<table>` that any replica has
   * acknowledged; readers then see them whichever replica they are given. At once if not replicated.
   */
  settled(database: string, table: string): Promise<void>;
}

export interface QueryOptions {
  /** Bound to {name:Type} placeholders. */
  readonly params?: Readonly<Record<string, unknown>>;
  readonly settings?: Readonly<Record<string, string | number>>;
  readonly signal?: AbortSignal;
  readonly queryId?: string;
}
