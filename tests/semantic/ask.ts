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

/** The same query on the SQL API; null if its members are of several cubes. */
export function sqlOf(query: SemanticQuery): string | null {
  const view = columnsOf(query)[0]!.split('.')[0]!;
  if (columnsOf(query).some((name) => !name.startsWith(`${view}.`))) return null;
  const short = (member: string): string => `"${member.slice(view.length + 1)}"`;
  const fields = [
    ...(query.dimensions ?? []).map(short),
    ...(query.timeDimensions ?? []).map(
      ({ dimension, granularity }) => `date_trunc('${granularity}', ${short(dimension)})`,
    ),
  ];
  const conditions = [
    ...((query.filters ?? []) as Filter[]).map(condition),
    ...(query.timeDimensions ?? []).flatMap(({ dimension, dateRange }) => {
      if (!dateRange) return [];
      const [first, last] = dateRange as [string, string];
      const after = new Date(Date.parse(last) + 86_400_000).toISOString().slice(0, 10);
      return [`${short(dimension)} >= '${first}' AND ${short(dimension)} < '${after}'`];
    }),
    ...(query.segments ?? []).map(short),
  ];
  function condition({ member, operator, values = [] }: Filter): string {
    const name = short(member);
    const list = values.map((value) => `'${value}'`).join(', ');
    if (operator === 'set') return `${name} IS NOT NULL`;
    // As in Cube: what has no value is not equal to any.
    if (operator === 'notEquals') return `(${name} NOT IN (${list}) OR ${name} IS NULL)`;
    if (operator === 'equals') return `${name} IN (${list})`;
    throw new Error(`no SQL for ${operator}`);
  }
  const measures = (query.measures ?? []).map((name) => `MEASURE(${short(name)})`);
  const where = conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : '';
  const group = fields.length > 0 ? ` GROUP BY ${fields.map((_, at) => at + 1).join(', ')}` : '';
  return `SELECT ${[...fields, ...measures].join(', ')} FROM ${view}${where}${group}`;
}

/** Rows of the SQL API: times as the other surfaces have them. */
export function sqlRows(query: SemanticQuery, rows: readonly unknown[][]): unknown[][] {
  const first = query.dimensions?.length ?? 0;
  const last = first + (query.timeDimensions?.length ?? 0);
  return rows.map((row) =>
    row.map((value, at) =>
      at >= first && at < last && value !== null
        ? `${String(value).replace(' ', 'T')}.000`.replace(/(\.\d{3}).*$/, '$1')
        : value,
    ),
  );
}
