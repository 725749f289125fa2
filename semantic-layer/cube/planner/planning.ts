import type { PlannerNote } from '../../rollups/index.ts';
import type {
  CompilerApi,
  Core,
  CubeContext,
  ErrorMessage,
  FullGateway,
  PlannedQuery,
  ResultMessage,
} from '../library.ts';
import type { QueryType, Transform } from '../native/index.ts';
import type { Plan, PlanPart, Refusal } from './calls.ts';

/** A context whose question is planned and not run. */
interface PlanningContext extends CubeContext {
  readonly planned: { statement: PlannedQuery; total: PlannedQuery | null }[];
}

/** What Cube says of a query's statement, as far as an answer needs it. */
interface LeanSql {
  readonly sql: readonly [string, readonly unknown[]];
  readonly aliasNameToMember: Readonly<Record<string, string>>;
  readonly preAggregations: readonly PlannerNote[];
  readonly dataSource: string;
}

/**
 * Cube's gateway, which for a question that is planned stops where it would run the statement, and for every question
 * works out only what an answer needs: by itself it describes for each how roll-ups of its own could be used.
 */
export function planningGateway(core: Core): FullGateway {
  const gateway = core.apiGateway() as FullGateway;
  const log = gateway.log.bind(gateway);
  gateway.log = (event, context) => {
    if (event.error !== undefined) log(event, context); // the rest is heard by nobody, and made of copies
  };
  const run = gateway.getSqlResponseInternal.bind(gateway);
  gateway.getSqlQueriesInternal = async (context, queries) => {
    const api = await core.getCompilerApi(context);
    return Promise.all(queries.map((query) => leanSql(api, gateway.coerceForSqlQuery(query, context))));
  };
  gateway.getSqlResponseInternal = async (context, query, sql) => {
    if (!isPlanning(context)) return run(context, query, sql);
    const entry: PlanningContext['planned'][number] = { statement: statementOf(sql as LeanSql), total: null };
    context.planned.push(entry);
    if (query.total) {
      const counted = structuredClone(query) as Record<string, unknown>;
      delete counted.order;
      const all = { ...counted, totalQuery: true, limit: null, rowLimit: null, offset: null };
      const [total] = (await gateway.getSqlQueriesInternal(context, [all])) as LeanSql[];
      entry.total = statementOf(total!);
    }
    return {
      data: gateway.wrapAdapterQueryResultIfNeeded({ data: [] }).data,
      dataSource: 'default',
      dbType: 'clickhouse',
      external: false,
      slowQuery: false,
    };
  };
  const visible = gateway.filterVisibleItemsInMeta.bind(gateway);
  const known = new WeakMap<object, readonly object[]>();
  gateway.filterVisibleItemsInMeta = (context, cubes) => {
    const before = known.get(cubes) ?? visible(context, cubes);
    known.set(cubes, before);
    return before;
  };
  return gateway;
}

const isPlanning = (context: CubeContext): context is PlanningContext => 'planned' in context;

const statementOf = ({ sql: [query, values], preAggregations }: LeanSql): PlannedQuery => ({
  query,
  values,
  preAggregations,
});

async function leanSql(api: CompilerApi, query: object): Promise<LeanSql> {
  const { sqlGenerator, compilers } = await api.getSqlGenerator(query);
  return compilers.compiler.withQuery(sqlGenerator, () => ({
    sql: sqlGenerator.buildSqlAndParams(),
    // Written while the statement is.
    aliasNameToMember: sqlGenerator.aliasNameToMember,
    preAggregations: sqlGenerator.preAggregations.preAggregationsDescription(),
    dataSource: 'default',
  }));
}

/** Plans a question in Cube's REST format. What it gives is to be written as JSON: it holds objects of Cube's own. */
export async function planOf(
  gateway: FullGateway,
  context: CubeContext,
  query: unknown,
  queryType: string | undefined,
): Promise<Omit<Plan, 'ranges'> | Refusal> {
  const planning: PlanningContext = { ...context, planned: [] };
  const answer = Promise.withResolvers<{ message: ResultMessage | ErrorMessage; status: number }>();
  await gateway.load({
    query,
    queryType,
    context: planning,
    apiType: 'rest',
    res: (message, { status = 200 } = {}) => answer.resolve({ message, status }),
  });
  const { message, status } = await answer.promise;
  if (!message.isWrapper) return { refused: message, status };
  const transforms = message.getTransformData() as readonly Transform[];
  const frames = [message.getRootResultObject()].flat() as readonly Record<string, unknown>[];
  const parts = transforms.map((transform, index): PlanPart => {
    const { statement, total } = planning.planned[index]!;
    return { statement, total, transform, frame: frames[index]! };
  });
  return { parts, multi: queryType === 'multi' ? { queryType: queryTypeOf(parts) } : null };
}

const queryTypeOf = ([first]: readonly PlanPart[]): QueryType => first!.transform.queryType;
