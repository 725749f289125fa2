import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import {
  HubError,
  type SemanticCube,
  type SemanticLayer,
  type SemanticMember,
  type SemanticMeta,
  type SemanticQuery,
  type SemanticResult,
  userError,
} from '#kernel';
import { printed } from '../run/printed.ts';
import { businessSql, CUBES, type TestMember, VIEWS } from './business.ts';

/** The port of the semantic layer over real tables in DuckDB: what Cube does with a query, in small. */
export interface TestLayer extends SemanticLayer, AsyncDisposable {
  /** For the same question without the layer. */
  readonly connection: DuckDBConnection;
  /** Questions asked so far. */
  readonly queries: SemanticQuery[];
}

interface Found {
  readonly member: TestMember;
  readonly cube: string;
  readonly measure: boolean;
}

function find(name: string): Found {
  const [relation = '', local = ''] = name.split('.');
  const view = VIEWS[relation];
  const [cube = '', member = ''] = view ? (view[local] ?? '').split('.') : [relation, local];
  const dimension = CUBES[cube]?.dimensions[member];
  const measure = CUBES[cube]?.measures[member];
  if (!dimension && !measure)
    throw userError('QUERY_INVALID', `There is no member ${name}.`, 'See the model.');
  return { member: (dimension ?? measure)!, cube, measure: measure !== undefined };
}

const quoted = (value: unknown): string => `'${String(value).replaceAll("'", "''")}'`;
type Filter = { member?: string; operator?: string; values?: string[]; or?: Filter[]; and?: Filter[] };

const MOMENTS: Readonly<Record<string, string>> = {
  beforeDate: '<',
  beforeOrOnDate: '<=',
  afterDate: '>',
  afterOrOnDate: '>=',
};
const NUMBERS: Readonly<Record<string, string>> = { gt: '>', gte: '>=', lt: '<', lte: '<=' };

function condition(filter: Filter): string {
  if (filter.or) return `(${filter.or.map(condition).join(' OR ')})`;
  if (filter.and) return `(${filter.and.map(condition).join(' AND ')})`;
  const { sql, type } = find(filter.member!).member;
  const values = filter.values ?? [];
  const list = values.map((value) => (type === 'number' ? String(Number(value)) : quoted(value))).join(', ');
  const [operator = ''] = [filter.operator];
  const [before, after] = [operator === 'startsWith' ? '' : '%', operator === 'endsWith' ? '' : '%'];
  if (operator === 'equals') return `${sql} IN (${list})`;
  if (operator === 'notEquals') return `(${sql} NOT IN (${list}) OR ${sql} IS NULL)`;
  if (operator === 'set') return `${sql} IS NOT NULL`;
  if (operator === 'notSet') return `${sql} IS NULL`;
  if (NUMBERS[operator]) return `${sql} ${NUMBERS[operator]} ${list}`;
  if (MOMENTS[operator]) return `${sql} ${MOMENTS[operator]} TIMESTAMP ${quoted(values[0])}`;
  if (/^(contains|startsWith|endsWith)$/.test(operator))
    return `${sql} ILIKE ${quoted(`${before}${values[0]!.replaceAll(/([\\_%])/g, '\\$1')}${after}`)} ESCAPE '\\'`;
  throw userError('QUERY_INVALID', `There is no operator ${operator}.`, 'Use another.');
}

const AGGREGATES: Readonly<Record<string, (sql: string) => string>> = {
  count: (sql) => `count(${sql})`,
  countDistinct: (sql) => `count(DISTINCT ${sql})`,
  number: (sql) => sql,
};
const aggregated = ({ sql, aggType = '' }: TestMember): string =>
  (AGGREGATES[aggType] ?? ((one: string) => `${aggType}(${one})`))(sql);
const rowValue = ({ sql, aggType }: TestMember): string =>
  aggType === 'count' ? `CASE WHEN ${sql} IS NOT NULL THEN 1 END` : sql;

/** The warehouse's SQL for a query. */
export function sqlOf(query: SemanticQuery): {
  sql: string;
  columns: SemanticResult['columns'];
  tables: string[];
} {
  const dimensions = (query.dimensions ?? []).map((name) => ({
    name,
    sql: find(name).member.sql,
    kind: 'dimension' as const,
    type: find(name).member.type,
  }));
  const times = (query.timeDimensions ?? []).map(({ dimension, granularity = '' }) => ({
    name: `${dimension}.${granularity}`,
    sql: `CAST(date_trunc(${quoted(granularity)}, ${find(dimension).member.sql}) AS TIMESTAMP)`,
    kind: 'time' as const,
    type: 'time',
  }));
  const measures = (query.measures ?? []).map((name) => ({
    name,
    sql: query.ungrouped ? rowValue(find(name).member) : aggregated(find(name).member),
    kind: 'measure' as const,
    type: 'number',
  }));
  const columns = [...dimensions, ...times, ...measures];
  const named = [
    ...columns.map((column) => column.name.split('.').slice(0, 2).join('.')),
    ...JSON.stringify(query.filters ?? []).matchAll(/"member":"([^"]+)"/g),
  ].map((one) => (typeof one === 'string' ? one : one[1]!));
  const relation = named[0]?.split('.')[0] ?? query.segments?.[0]?.split('.')[0] ?? '';
  const root = VIEWS[relation] ? Object.values(VIEWS[relation])[0]!.split('.')[0]! : relation;
  const used = new Set([root, ...named.map((name) => find(name).cube)]);
  const joins = [...used]
    .filter((cube) => cube !== root)
    .map((cube) => `LEFT JOIN ${CUBES[cube]!.from} AS ${cube} ON ${CUBES[root]!.joins[cube]!.on}`);
  const where = [
    ...((query.filters ?? []) as Filter[]).map(condition),
    ...(query.segments ?? []).map((name) => CUBES[name.split('.')[0]!]!.segments[name.split('.')[1]!]!),
  ];
  const keys = [...dimensions, ...times].map((_, at) => at + 1);
  const order = (query.order ?? []).map(
    ([name, way]) =>
      `${columns.findIndex((column) => column.name === name || column.name.startsWith(`${name}.`)) + 1} ${way} NULLS LAST`,
  );
  const sql = [
    `SELECT ${columns.map((column) => column.sql).join(', ')} FROM ${CUBES[root]!.from} AS ${root} ${joins.join(' ')}`,
    where.length > 0 ? `WHERE ${where.join(' AND ')}` : '',
    query.ungrouped || keys.length === 0 ? '' : `GROUP BY ${keys.join(', ')}`,
    order.length > 0 ? `ORDER BY ${order.join(', ')}` : '',
    typeof query.limit === 'number' ? `LIMIT ${query.limit}` : '',
  ].join(' ');
  return {
    sql,
    columns: columns.map(({ name, kind, type }) => ({ name, kind, type })),
    tables: [...used].map((cube) => CUBES[cube]!.from),
  };
}

const memberOf = (cube: string, name: string, member: TestMember): SemanticMember => ({
  name: `${cube}.${name}`,
  title: name,
  shortTitle: name,
  type: member.type,
  ...(member.aggType ? { aggType: member.aggType } : {}),
  ...(member.primaryKey ? { primaryKey: true } : {}),
  ...(member.description ? { description: member.description } : {}),
});

function metaOf(): SemanticMeta {
  const list = (cube: string, members: Readonly<Record<string, TestMember>>): SemanticMember[] =>
    Object.entries(members).map(([name, member]) => memberOf(cube, name, member));
  const cubes = Object.entries(CUBES).map(
    ([name, cube]): SemanticCube => ({
      name,
      type: 'cube',
      title: cube.title,
      description: `${cube.title} of the business`,
      dimensions: list(name, cube.dimensions),
      measures: list(name, cube.measures),
      segments: Object.keys(cube.segments).map((one) => ({
        name: `${name}.${one}`,
        title: one,
        shortTitle: one,
        type: 'boolean',
      })),
      joins: Object.entries(cube.joins).map(([to, join]) => ({ name: to, relationship: join.relationship })),
    }),
  );
  const views = Object.entries(VIEWS).map(([name, view]): SemanticCube => {
    const members = Object.entries(view).map(([local, alias]) => ({
      ...memberOf(name, local, find(`${name}.${local}`).member),
      aliasMember: alias,
      primaryKey: false,
    }));
    return {
      name,
      type: 'view',
      title: name,
      dimensions: members.filter((member) => !member.aggType),
      measures: members.filter((member) => member.aggType),
      segments: [],
      joins: [],
    };
  });
  return { version: 'test-1', cubes: [...cubes, ...views] };
}

const MOST = 1_000_000;

/** Opens the layer over `rows` orders. */
export async function testLayer(rows = 300): Promise<TestLayer> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  for (const statement of businessSql(rows)
    .split(';')
    .filter((one) => one.trim() !== ''))
    await connection.run(statement);
  const queries: SemanticQuery[] = [];
  const meta = metaOf();
  return {
    connection,
    queries,
    meta: async () => meta,
    sql: async (_principal, query) => ({ sql: sqlOf(query).sql, params: {}, tables: sqlOf(query).tables }),
    load: async (_principal, query, { maxRows = MOST } = {}) => {
      queries.push(query);
      const { sql, columns, tables } = sqlOf(query);
      const reader = await connection.runAndReadAll(sql);
      const found = reader.getRows();
      if (found.length > maxRows)
        throw new HubError('QUERY_TOO_LARGE', `more than ${maxRows} rows`, { disposition: 'user' });
      return {
        columns,
        rows: found.map((row) =>
          row.map((value, at) => {
            const text = printed(value, columns[at]!.type === 'time' ? 'timestamp' : 'numeric');
            return text === null
              ? null
              : columns[at]!.type === 'time'
                ? `${text.replace(' ', 'T')}.000`
                : columns[at]!.type === 'boolean'
                  ? text === 'true'
                  : text;
          }),
        ),
        freshness: { completeUpTo: '2026-01-02T03:04:05.000Z' },
        cached: false,
        tables,
      };
    },
    async [Symbol.asyncDispose]() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}
