/**
 * What Cube's native module does with a result before it is sent: aliases become members, times get one form, and
 * the rows the shape that was asked for. Source of the shapes: Cube documentation, "REST API", `/v1/load`, "Query
 * format" (compareDateRange), "Data blending"; `responseFormat` default, compact and columnar.
 */

export type QueryType = 'regularQuery' | 'compareDateRangeQuery' | 'blendingQuery';

export interface TimeDimension {
  readonly dimension: string;
  readonly granularity?: string | null;
  readonly dateRange?: readonly string[] | null;
}

export interface NormalizedQuery {
  readonly measures?: readonly unknown[];
  readonly dimensions?: readonly unknown[];
  readonly timeDimensions?: readonly TimeDimension[];
}

/** What Cube's gateway hands over with the rows. */
export interface Transform {
  readonly aliasToMemberNameMap: Readonly<Record<string, string>>;
  readonly annotation: Readonly<Record<string, { readonly type?: string }>>;
  readonly query: NormalizedQuery;
  readonly queryType: QueryType;
  readonly resType?: 'default' | 'compact' | 'columnar';
}

/** A result by columns: `members` are the database's column names. */
export interface Columns {
  readonly members: readonly string[];
  readonly columns: readonly (readonly unknown[])[];
}

export type Data =
  | Readonly<Record<string, unknown>>[]
  | { readonly members: readonly string[]; readonly dataset: unknown[][] }
  | { readonly members: readonly string[]; readonly columns: unknown[][] };

/** Fine to coarse; a granularity of the model's own counts as coarser than all. */
const LEVELS = ['second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year'];
const levelOf = (granularity: string): number => {
  const level = LEVELS.indexOf(granularity);
  return level < 0 ? LEVELS.length : level;
};

interface Output {
  readonly member: string;
  readonly values: readonly unknown[];
}

/** The result in the shape asked for. Errors: a member that is hidden. */
export function transformData(transform: Transform, { members, columns }: Columns): Data {
  if (members.length === 0) assertVisible(transform);
  const outputs: Output[] = members.map((alias, index) => {
    const member = transform.aliasToMemberNameMap[alias];
    if (member === undefined) throw new Error(`Member name not found for alias: '${alias}'`);
    const { type } = annotated(transform, member);
    const values = columns[index]!;
    return { member, values: type === 'time' ? values.map(time) : values };
  });
  const rows = columns[0]?.length ?? 0;
  const bare = outputs.length > 0 ? bareTimes(transform.query, outputs) : [];
  const all = outputs.length > 0 ? [...outputs, ...bare, ...tail(transform, outputs, rows)] : [];
  const names = all.map(({ member }) => member);
  if (transform.resType === 'columnar')
    return { members: names, columns: all.map(({ values }) => [...values]) };
  if (transform.resType === 'compact')
    return {
      members: names,
      dataset: Array.from({ length: rows }, (_, row) => all.map(({ values }) => values[row])),
    };
  return Array.from({ length: rows }, (_, row) =>
    Object.fromEntries(all.map(({ member, values }) => [member, values[row]])),
  );
}

function annotated(transform: Transform, member: string): { readonly type?: string } {
  const found = transform.annotation[member];
  if (!found)
    throw new Error(`You requested hidden member: '${member}'. Members that are not public cannot be read.`);
  return found;
}

/** An empty result has no columns to check: what was asked for must be visible all the same. */
function assertVisible(transform: Transform): void {
  const { measures = [], dimensions = [], timeDimensions = [] } = transform.query;
  for (const member of [...measures, ...dimensions])
    if (typeof member === 'string') annotated(transform, member);
  for (const { dimension, granularity } of timeDimensions)
    if (granularity) annotated(transform, `${dimension}.${granularity}`);
}

/** `cube.time.day` is also told as `cube.time`, in the finest granularity, unless that was asked for itself. */
function bareTimes({ dimensions = [] }: NormalizedQuery, outputs: readonly Output[]): Output[] {
  const finest = new Map<string, { readonly level: number; readonly values: readonly unknown[] }>();
  for (const { member, values } of outputs) {
    const [cube, name, granularity] = member.split('.');
    if (granularity === undefined) continue;
    const base = `${cube}.${name}`;
    const level = levelOf(granularity);
    const known = finest.get(base);
    if (dimensions.includes(base) || (known && known.level < level)) continue;
    finest.set(base, { level, values });
  }
  return [...finest].map(([member, { values }]) => ({ member, values }));
}

function tail({ query, queryType }: Transform, outputs: readonly Output[], rows: number): Output[] {
  if (queryType === 'regularQuery') return [];
  const time = query.timeDimensions?.[0];
  if (!time) throw new Error('This kind of query needs a time dimension.');
  if (queryType === 'compareDateRangeQuery') {
    if (time.dateRange?.length !== 2) throw new Error('Each range to compare needs a beginning and an end.');
    return [{ member: 'compareDateRange', values: new Array<string>(rows).fill(time.dateRange.join(' - ')) }];
  }
  if (!time.granularity) throw new Error('A blending query needs a granularity.');
  const shared = outputs.find(({ member }) => member === `${time.dimension}.${time.granularity}`);
  return shared ? [{ member: `time.${time.granularity}`, values: shared.values }] : [];
}

const PARTS = /^(\d{4,}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?$/;

/** `YYYY-MM-DDTHH:MM:SS.mmm`; what is no time stays as it is. */
function time(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const [, date, clock = '00:00:00', fraction = ''] = PARTS.exec(value) ?? [];
  return date === undefined ? value : `${date}T${clock}.${fraction.padEnd(3, '0').slice(0, 3)}`;
}

/** What a client pivots by when several queries make one answer. */
export function pivotQuery(queryType: QueryType, queries: readonly NormalizedQuery[]): object {
  const [first] = queries;
  if (queryType === 'compareDateRangeQuery')
    return { ...first, dimensions: ['compareDateRange', ...(first?.dimensions ?? [])], queryType };
  if (queryType === 'blendingQuery') {
    const union = (of: (query: NormalizedQuery) => readonly unknown[] | undefined): unknown[] => [
      ...new Set(queries.flatMap((query) => of(query) ?? [])),
    ];
    const granularity = first?.timeDimensions?.find((one) => one.granularity)?.granularity;
    return {
      measures: union(({ measures }) => measures),
      dimensions: union(({ dimensions }) => dimensions),
      timeDimensions: [{ dimension: 'time', granularity }],
      queryType,
    };
  }
  return { ...first, queryType };
}
