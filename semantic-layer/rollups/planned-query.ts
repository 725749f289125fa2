/** Of Cube's planner (1.7.43) what roll-ups use. */

export interface Member {
  readonly dimension?: string;
  path(): readonly string[] | null;
  unescapedAliasName(granularity?: string): string;
  aliasName(): string;
  dimensionSql(): string;
  measureDefinition(): { readonly type: string };
  readonly isMemberExpression?: boolean;
}
export interface TimeMember extends Member {
  dateFromParam(): string;
  dateToParam(): string;
  localDateTimeFromParam(): string;
  localDateTimeToParam(): string;
}
export type Filtered = { path(): readonly string[] | null } | readonly Filtered[];
export interface Filter {
  /** Of a group, nested as it is. */
  getMembers(): readonly Filtered[];
}
export interface Candidate {
  readonly cube: string;
  readonly preAggregationName: string;
  readonly canUsePreAggregation: boolean;
  readonly preAggregation: { readonly type: string; readonly partitionGranularity?: string };
  readonly references: {
    readonly dimensions: readonly string[];
    readonly measures: readonly string[];
    readonly timeDimensions: readonly { readonly dimension: string; readonly granularity: string }[];
  };
}
export interface PreAggregations {
  evaluateAllReferences(
    cube: string,
    aggregation: Candidate['preAggregation'],
    name?: string | null,
    context?: object,
  ): unknown;
  findPreAggregationForQuery(): unknown;
  preAggregationsDescription(): readonly unknown[];
  preAggregationForQuery: unknown;
  rollupMatchResults(): readonly Candidate[];
  canUseTransformedQuery(): {
    readonly leafMeasureAdditive: boolean;
    readonly hasMultipliedMeasures: boolean;
    readonly hasMultiStage: boolean;
    readonly hasCumulativeMeasures: boolean;
    readonly measureToLeafMeasures: Readonly<Record<string, readonly { readonly type: string }[]>>;
  };
}
export interface PlannedQuery {
  readonly options: Readonly<Record<string, unknown>>;
  readonly compilers: object & { readonly compiler: { withQuery<T>(query: object, work: () => T): T } };
  /** Tree of the cubes it joins. */
  readonly join: unknown;
  readonly timezone: string;
  readonly ungrouped?: boolean;
  readonly measures: readonly Member[];
  readonly dimensions: readonly Member[];
  readonly segments: readonly unknown[];
  readonly timeDimensions: readonly (Member & {
    readonly granularity?: string;
    rollupGranularity(): string | null;
  })[];
  readonly filters: readonly Filter[];
  readonly customSubQueryJoins: readonly unknown[];
  readonly preAggregations: PreAggregations;
  readonly cubeEvaluator: {
    preAggregationsForCube(cube: string): Readonly<Record<string, unknown>>;
    cubeFromPath(cube: string): { readonly sql: unknown };
    dimensionByPath(path: readonly string[] | string): { readonly type: string; readonly sql: unknown };
    isDimension(path: readonly string[]): boolean;
    byPathAnyType(path: string): { readonly aliasMember?: string };
    memberShortNameFromPath(path: string): string;
  };
  readonly allCubeNames: readonly string[];
  collectLeafMeasures(work: () => unknown): readonly string[];
  collectFrom(
    members: readonly Member[],
    collect: (work: () => unknown) => readonly string[],
    name: string,
  ): readonly string[];
  allMembersConcat(includeFilters: boolean): readonly Member[];
  newPreAggregations(): PreAggregations;
  buildSqlAndParams(): readonly [string, readonly unknown[]];
  preAggregationTableName(): string;
  preAggregationSql(cube: string, preAggregation: unknown): readonly [string, readonly unknown[]];
  newDimension(path: string): Member;
  newMeasure(path: string): Member;
  newTimeDimension(time: { dimension: string; granularity?: string }): TimeMember;
  evaluateSql(cube: string, sql: unknown): string;
}

export type QueryClass = new (compilers: object, options: object) => PlannedQuery;
