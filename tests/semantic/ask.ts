import type { SemanticQuery } from '#kernel';

/** Columns in the order in which the questions' SQL has them. */
export const columnsOf = (query: SemanticQuery): string[] => [
  ...(query.dimensions ?? []),
  ...(query.timeDimensions ?? []).map(({ dimension, granularity }) => `${dimension}.${granularity}`),
  ...(query.measures ?? []),
];

/** Rows of Cube's REST answer, in the columns' order. */
export const restRows = (query: SemanticQuery, data: readonly Record<string, unknown>[]): unknown[][] =>
  data.map((row) => columnsOf(query).map((name) => row[name] ?? null));

interface Filter {
  readonly member: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

/** The same query in Cube's GraphQL; null if it has no words for it (segments). */
export function graphqlOf(query: SemanticQuery): string | null {
  if (query.segments?.length) return null;
  const view = columnsOf(query)[0]!.split('.')[0]!;
  const short = (member: string): string => member.slice(view.length + 1);
  if (columnsOf(query).some((name) => !name.startsWith(`${view}.`))) return null;
  const numeric = (query.filters as Filter[] | undefined)?.some(({ values }) =>
    values?.some((one) => /^\d+$/.test(one)),
  );
  if (numeric) return null;
  const filters = ((query.filters ?? []) as Filter[]).map(({ member, operator, values }) =>
    operator === 'set'
      ? `${short(member)}: {set: true}`
      : `${short(member)}: {${operator}: ${JSON.stringify(values![0])}}`,
  );
  const times = (query.timeDimensions ?? []).map(({ dimension, granularity, dateRange }) => ({
    field: `${short(dimension)} { ${granularity} }`,
    filter: dateRange ? [`${short(dimension)}: {inDateRange: ${JSON.stringify(dateRange)}}`] : [],
  }));
  const where = [...filters, ...times.flatMap(({ filter }) => filter)];
  const fields = [
    ...[...(query.dimensions ?? []), ...(query.measures ?? [])].map(short),
    ...times.map(({ field }) => field),
  ];
  return `{ cube(limit: 10000) { ${view}${where.length ? `(where: {${where.join(', ')}})` : ''} { ${fields.join(' ')} } } }`;
}

/** Rows of Cube's GraphQL answer. */
export function graphqlRows(
  query: SemanticQuery,
  data: { cube: Record<string, Record<string, unknown>>[] },
): unknown[][] {
  const times = new Set((query.timeDimensions ?? []).map(({ dimension }) => dimension));
  return data.cube.map((row) =>
    columnsOf(query).map((name) => {
      const [view, member, granularity] = name.split('.') as [string, string, string | undefined];
      const value = row[view]![member];
      if (granularity === undefined || !times.has(`${view}.${member}`)) return scalar(value);
      return timeText((value as Record<string, string | null> | null)?.[granularity]);
    }),
  );
}

/** GraphQL has dimensions as texts, booleans too. */
const scalar = (value: unknown): unknown =>
  value === 'true' || value === 'false' ? value === 'true' : (value ?? null);

const timeText = (value: string | null | undefined): string | null => value?.replace(/Z$/, '') ?? null;
