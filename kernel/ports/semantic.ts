import type { Principal } from '../principal.ts';
import type { TableSchema } from '../tables.ts';

/**
 * SemanticLayer: questions about cubes and views, answered for one principal. Implemented by
 * semantic-layer/; the SQL API, dashboards and agents stand on it.
 *
 * Errors: HubError (user) with code QUERY_INVALID (unknown member, wrong filter ...), QUERY_TOO_LARGE
 * (more rows than asked for), QUERY_REFUSED (limits); transient SEMANTIC_COMPILING while the first model
 * of a principal's profile is made; WAREHOUSE_* as the warehouse says.
 */
export interface SemanticLayer {
  /** Cubes and views the principal sees. */
  meta(principal: Principal): Promise<SemanticMeta>;
  /** Values: decimals and 64-bit integers as exact text, times as `YYYY-MM-DDTHH:MM:SS.mmm`, null as null. */
  load(principal: Principal, query: SemanticQuery, options?: LoadSemanticOptions): Promise<SemanticResult>;
  /** What `load` would run; `params` are bound to the `{name:Type}` placeholders in `sql`. */
  sql(principal: Principal, query: SemanticQuery): Promise<SemanticSql>;
}

/** A query in Cube's REST format; source: Cube documentation, "REST API query format". */
export interface SemanticQuery {
  readonly measures?: readonly string[];
  readonly dimensions?: readonly string[];
  readonly segments?: readonly string[];
  readonly timeDimensions?: readonly SemanticTimeDimension[];
  readonly filters?: readonly unknown[];
  readonly order?: readonly (readonly [string, 'asc' | 'desc'])[];
  /** null = no limit but `maxRows`. */
  readonly limit?: number | null;
  readonly offset?: number;
  readonly timezone?: string;
  readonly ungrouped?: boolean;
  readonly total?: boolean;
}

export interface SemanticTimeDimension {
  readonly dimension: string;
  readonly granularity?: string;
  readonly dateRange?: string | readonly string[];
  readonly compareDateRange?: readonly (string | readonly string[])[];
}

export interface LoadSemanticOptions {
  /** More rows than this are refused with QUERY_TOO_LARGE, never cut. Default 50,000, at most 1,000,000. */
  readonly maxRows?: number;
  readonly signal?: AbortSignal;
  /** False: nothing is read from roll-ups. Default true. */
  readonly rollups?: boolean;
}

export interface SemanticColumn {
  /** `cube.member`, for times with a granularity `cube.member.granularity`. */
  readonly name: string;
  readonly kind: 'measure' | 'dimension' | 'time';
  /** Cube's type: number, string, time, boolean, count ... */
  readonly type: string;
}

/** The state of the data behind an answer. */
export interface Freshness {
  /** Source commit time up to which the least fresh table is complete, ISO; null = not known yet. */
  readonly completeUpTo: string | null;
}

export interface SemanticResult {
  readonly columns: readonly SemanticColumn[];
  readonly rows: readonly (readonly unknown[])[];
  readonly freshness: Freshness;
  readonly cached: boolean;
  /** `database.table` in the warehouse. */
  readonly tables: readonly string[];
  /** Roll-ups (`cube.name`) that the rows were read from; absent or empty: none. */
  readonly rollups?: readonly string[];
}

export interface SemanticSql {
  readonly sql: string;
  readonly params: Readonly<Record<string, string>>;
  readonly tables: readonly string[];
}

export interface SemanticMember {
  /** `cube.member`. */
  readonly name: string;
  readonly title: string;
  readonly shortTitle: string;
  readonly description?: string;
  readonly type: string;
  readonly format?: string;
  /** Measures: count, sum, avg, min, max, countDistinct, countDistinctApprox, number ... */
  readonly aggType?: string;
  readonly primaryKey?: boolean;
  /** Members of views: the `cube.member` they stand for. */
  readonly aliasMember?: string;
  /** Measures that run over time (rolling windows, running totals): parts do not add up. */
  readonly cumulative?: boolean;
  readonly meta?: Readonly<Record<string, unknown>>;
}

export interface SemanticCube {
  readonly name: string;
  readonly type: 'cube' | 'view';
  readonly title: string;
  readonly description?: string;
  readonly measures: readonly SemanticMember[];
  readonly dimensions: readonly SemanticMember[];
  readonly segments: readonly SemanticMember[];
  readonly joins: readonly SemanticJoin[];
  /** Cubes with one number can be joined by way of each other. */
  readonly connectedComponent?: number;
  readonly meta?: Readonly<Record<string, unknown>>;
}

export interface SemanticJoin {
  readonly name: string;
  readonly relationship: string;
}

export interface SemanticMeta {
  /** Another one = another model. */
  readonly version: string;
  readonly cubes: readonly SemanticCube[];
}

/** A captured table as the semantic layer has it. */
export interface WarehouseTable {
  readonly topic: string;
  readonly schema: TableSchema;
  readonly database: string;
  readonly table: string;
  readonly foreignKeys: readonly ForeignKey[];
}

export interface ForeignKey {
  readonly columns: readonly string[];
  /** Topic of the table it points to. */
  readonly to: string;
  readonly toColumns: readonly string[];
}

/** An entity of an app, as far as the semantic layer needs it. */
export interface EntityDescription {
  readonly app: string;
  readonly appLabel: string;
  readonly name: string;
  readonly label: string;
  readonly plural: string;
  readonly description?: string;
  readonly schema: string;
  readonly table: string;
  readonly titleField?: string;
  readonly fields: readonly EntityField[];
  /** Names of its states, where it has a life cycle, and the column that holds them. */
  readonly states?: { readonly column: string; readonly names: readonly string[] };
  /** Entity (`app.entity`) whose child this is. */
  readonly parent?: string;
}

export interface EntityField {
  readonly column: string;
  readonly label: string;
  /** As the app's definition says: text, money, integer, date ... */
  readonly type: string;
  readonly format?: string;
  readonly unit?: string;
  readonly description?: string;
  readonly options?: readonly { readonly value: string; readonly label: string }[];
  /** Entity (`app.entity`) it refers to. */
  readonly reference?: string;
}

/**
 * What a set of roles may see of the warehouse. Principals of one profile share a model; what differs
 * between them (tenant, user, attributes) is bound as ClickHouse parameters when a query runs.
 */
export interface AccessProfile {
  /** Stable hash of all below. */
  readonly id: string;
  /** By topic `source.schema.table`; a table not named here is not readable. */
  readonly tables: ReadonlyMap<string, TableAccess>;
  /** Values of `bac_tenant`, `bac_user`, `bac_attr_<name>` for a principal of this profile. */
  readonly params: (principal: Principal) => Readonly<Record<string, string>>;
}

export interface TableAccess {
  readonly readable: boolean;
  /** ClickHouse expression over the table's columns that must hold; null = all rows. */
  readonly filter: string | null;
  /** A column not named here is hidden. */
  readonly columns: ReadonlyMap<string, ColumnAccess>;
}

export type ColumnAccess =
  | { readonly mode: 'plain' }
  | { readonly mode: 'masked'; readonly sql: string }
  | { readonly mode: 'hidden' };

/** A Cube model file, YAML or JavaScript by its name's ending. */
export interface ModelFile {
  readonly fileName: string;
  readonly content: string;
}
