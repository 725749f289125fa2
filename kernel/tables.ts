/**
 * The neutral model of a captured table. `cdc/` fills it from a database's catalog, `clickhouse/`
 * turns it into warehouse tables and row encoders; neither knows the other's types.
 */

export type ScalarKind =
  | 'bool'
  | 'int2'
  | 'int4'
  | 'int8'
  | 'float4'
  | 'float8'
  | 'numeric'
  | 'text'
  | 'bytes'
  | 'date'
  | 'timestamp'
  | 'timestamptz'
  | 'time'
  | 'timetz'
  | 'interval'
  | 'uuid'
  | 'json'
  | 'enum'
  /** Everything else (ranges, geometric, network, bit, user types): the source's own text form. */
  | 'other';

export interface ScalarType {
  readonly kind: ScalarKind;
  /** numeric only; absent = unbounded. Scale can be negative or larger than precision in the source. */
  readonly precision?: number;
  readonly scale?: number;
  /** The source's own name of the type, e.g. `character varying(40)`; for people and comparison. */
  readonly sourceType: string;
}

export interface ArrayType {
  readonly kind: 'array';
  readonly element: ScalarType;
  readonly sourceType: string;
}

/** Domains are resolved to their base type before they get here. */
export type ColumnType = ScalarType | ArrayType;

export interface Column {
  readonly name: string;
  /** pg_attribute.attnum: the column's identity across renames. */
  readonly attnum: number;
  readonly type: ColumnType;
  /** False only when the source guarantees NOT NULL (constraint or primary key). */
  readonly nullable: boolean;
  /** Value, as source text, that rows written before the column existed have; null = NULL. */
  readonly fill: string | null;
  readonly comment?: string;
}

/** How a row is recognised. */
export type KeyRule =
  /** The primary key. */
  | 'primary-key'
  /** REPLICA IDENTITY USING INDEX: that index's columns. */
  | 'replica-index'
  /** No key, REPLICA IDENTITY FULL: the whole row is its key; identical rows count as one. */
  | 'whole-row'
  /** No key and no full identity: not captured, the reason is in the table's status. */
  | 'none';

export interface TableId {
  readonly source: string;
  readonly schema: string;
  readonly table: string;
}

export interface TableSchema extends TableId {
  /** Grows by one with each change of shape; per table. */
  readonly version: number;
  readonly columns: readonly Column[];
  readonly keyRule: KeyRule;
  /** Column names in key order; all columns for whole-row; empty for none. */
  readonly key: readonly string[];
  /** True if old rows arrive whole (REPLICA IDENTITY FULL). */
  readonly fullIdentity: boolean;
  readonly comment?: string;
  /** What later changes of shape are compared with; absent when the catalog was not at hand. */
  readonly origin?: TableOrigin;
  /** Where in the source's change stream rows of this shape begin. */
  readonly since?: StreamPosition;
  /** Only of a generation's first shape, where events do not say which generation they belong to. */
  readonly from?: LogPosition;
  /**
   * Only of a generation's first shape: over how many partitions its keys are spread. A topic that is widened
   * later keeps them where they are, so that all changes of a key stay in order, until the next generation.
   */
  readonly partitions?: number;
}

/** Where a generation's events begin in the log: what lies before is in its snapshot. */
export interface LogPosition {
  /** First offset by partition; a partition not named belongs to the generation as a whole. */
  readonly offsets: Readonly<Record<string, number>>;
  /** Changes below this LSN are of an earlier slot, whatever their offset. */
  readonly lsn: number;
}

/** The change stream is ordered by the commit of the transaction, then by the change within it. */
export interface StreamPosition {
  readonly commit: number;
  readonly change: number;
  /** The first shape of a snapshot generation: changes before it are in the snapshot. */
  readonly snapshot: boolean;
}

/** Identity of the stored table behind a schema version. */
export interface TableOrigin {
  /** pg_class.oid: another one is another table of the same name. */
  readonly oid: number;
  /** Highest attribute number that existed: lower ones not among the columns had been dropped by then. */
  readonly lastAttnum: number;
  /** Storage file(s) of the table; another one means that every row has been rewritten since. */
  readonly storage: string;
  /**
   * By attribute number: which transaction last changed the column's catalog entry. New storage and a
   * changed entry together mean that the column's values were rewritten (ALTER TYPE ... USING), of which
   * the stream says nothing. Absent where the source keeps no such mark (YugabyteDB).
   */
  readonly marks?: Readonly<Record<string, string>>;
}

export const topicOf = (id: TableId): string => `${id.source}.${id.schema}.${id.table}`;

export const tableKey = (id: { schema: string; table: string }): string => `${id.schema}.${id.table}`;

/** Warehouse table: database = source; `public` is left out of the table name, other schemas prefix it. */
export const warehouseTableOf = (id: TableId): { database: string; table: string } => ({
  database: id.source,
  table: id.schema === 'public' ? id.table : `${id.schema}_${id.table}`,
});
