/**
 * Cubes and views on their way into Cube's model, in the terms of Cube's own YAML. SQL refers to columns as
 * `{CUBE}.column`, to members as `{member}` or `{cube.member}`, and to other cubes' columns as `{cube}.column`.
 */

export interface Member {
  readonly name: string;
  readonly type?: string | undefined;
  readonly sql?: string | undefined;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  readonly filters?: readonly { readonly sql: string }[] | undefined;
  readonly drill_members?: readonly string[] | undefined;
  readonly meta?: Readonly<Record<string, unknown>> | undefined;
  /** Whatever else Cube knows (format, sub_query, rolling_window ...), handed on as it is. */
  readonly [setting: string]: unknown;
}

export interface Join {
  /** Cube it leads to. */
  readonly name: string;
  readonly relationship: 'many_to_one' | 'one_to_many' | 'one_to_one';
  readonly sql: string;
}

export interface Cube {
  readonly name: string;
  /** The governed sub-query, or what a curated cube makes of several; ready for ClickHouse. */
  readonly sql: string;
  /** Columns that `sql` has; null = not known. */
  readonly columns: ReadonlySet<string> | null;
  /** Columns of which only a masked form is there: nothing is computed from them. */
  readonly masked: ReadonlySet<string>;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  readonly public?: boolean | undefined;
  readonly meta?: Readonly<Record<string, unknown>> | undefined;
  readonly joins: readonly Join[];
  readonly dimensions: readonly Member[];
  readonly measures: readonly Member[];
  readonly segments: readonly Member[];
  readonly pre_aggregations: readonly PreAggregation[];
}

export interface PreAggregation {
  readonly name: string;
  readonly measures?: readonly string[] | undefined;
  readonly dimensions?: readonly string[] | undefined;
  readonly segments?: readonly string[] | undefined;
  readonly time_dimension?: string | undefined;
  readonly [setting: string]: unknown;
}

export interface ViewInclude {
  readonly name: string;
  readonly alias?: string | undefined;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  readonly format?: string | undefined;
  readonly meta?: Readonly<Record<string, unknown>> | undefined;
}

export interface ViewPart {
  /** Cubes from the first to the one whose members are meant, separated by dots. */
  readonly join_path: string;
  readonly prefix?: boolean | undefined;
  readonly alias?: string | undefined;
  readonly includes: '*' | readonly (string | ViewInclude)[];
  readonly excludes?: readonly string[] | undefined;
}

export interface View {
  readonly name: string;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  readonly public?: boolean | undefined;
  readonly meta?: Readonly<Record<string, unknown>> | undefined;
  readonly cubes: readonly ViewPart[];
}

export interface Model {
  readonly cubes: readonly Cube[];
  readonly views: readonly View[];
}
