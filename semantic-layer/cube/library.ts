import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { ModelFile } from '#kernel';
import type { PlannerNote } from '../rollups/index.ts';
import { shareCompileWorker, type WorkerPools } from './compile-pool.ts';
import { dialectOf } from './dialect.ts';
import { type Environment, type Normalizing, normalizeOnce, readSettingsOnce } from './lighter.ts';
import { ensureNative, type NativeExports } from './native/index.ts';
import type { Translations } from './translations.ts';

/**
 * What the hub uses of Cube 1.7.43, whose own types are wider than they are true. Loading it takes seconds and 130 MB:
 * it happens in the planning thread (`planner/`) and nowhere else.
 */

export interface CubeContext {
  readonly securityContext: { readonly model: string };
  readonly requestId: string;
}

/** A query as Cube's planner has made it. */
export interface PlannedQuery {
  readonly query: string;
  readonly values: readonly unknown[];
  /** Roll-ups that could answer it, or what there is to say of it: see rollups/planner.ts. */
  readonly preAggregations?: readonly PlannerNote[];
}

export interface AdapterAnswer {
  readonly data: readonly Readonly<Record<string, unknown>>[];
  readonly lastRefreshTime: Date;
  readonly dataSource: string;
  readonly dbType: string;
  readonly external: boolean;
  readonly slowQuery: boolean;
}

/** What stands in the place of Cube's query orchestrator. */
export interface Adapter {
  executeQuery(query: PlannedQuery): Promise<AdapterAnswer>;
}

export interface ResultMessage {
  readonly isWrapper: true;
  getFinalResult(): Promise<ArrayBuffer>;
  getTransformData(): readonly unknown[];
  getRootResultObject(): readonly Readonly<Record<string, unknown>>[];
}
export interface ErrorMessage {
  readonly isWrapper?: undefined;
  readonly error?: string;
  readonly [detail: string]: unknown;
}

type Respond<M> = (message: M, options?: { readonly status?: number }) => void;
interface Asked<M> {
  readonly query: unknown;
  readonly context: CubeContext;
  readonly res: Respond<M>;
}

export interface Gateway {
  load(
    asked: Asked<ResultMessage | ErrorMessage> & {
      readonly queryType?: string | undefined;
      readonly apiType: string;
    },
  ): Promise<void>;
  sql(asked: Asked<ErrorMessage>): Promise<void>;
  dryRun(asked: Asked<ErrorMessage>): Promise<void>;
  meta(asked: Omit<Asked<ErrorMessage>, 'query'> & { readonly includeCompilerId: boolean }): Promise<void>;
}

/** What the gateway calls of itself. */
export interface FullGateway extends Gateway {
  log(event: { readonly type: string; readonly error?: unknown }, context?: CubeContext): void;
  getSqlQueriesInternal(context: CubeContext, queries: readonly object[]): Promise<readonly object[]>;
  getSqlResponseInternal(
    context: CubeContext,
    query: { readonly total?: boolean },
    sql: object,
  ): Promise<object>;
  /** What of a model's cubes may be seen: the same for everybody who asks it. */
  filterVisibleItemsInMeta(context: CubeContext, cubes: readonly object[]): readonly object[];
  coerceForSqlQuery(query: object, context: CubeContext): object;
  wrapAdapterQueryResultIfNeeded(answer: { data: readonly object[] }): { readonly data: object };
}

/** One query on its way to its statement. */
export interface SqlGenerator {
  buildSqlAndParams(): [string, readonly unknown[]];
  readonly aliasNameToMember: Readonly<Record<string, string>>;
  readonly preAggregations: { preAggregationsDescription(): readonly PlannerNote[] };
}

export interface CompilerApi {
  getSqlGenerator(query: object): Promise<{
    readonly sqlGenerator: SqlGenerator;
    readonly compilers: {
      readonly compiler: { withQuery<T>(query: SqlGenerator, work: () => T): T };
    };
  }>;
  getCompilers(): Promise<unknown>;
  metaConfig(context: CubeContext, options: { readonly requestId: string }): Promise<unknown>;
}

export interface Core {
  apiGateway(): Gateway;
  getCompilerApi(context: CubeContext): Promise<CompilerApi>;
  readonly compilerCache: { delete(model: string): boolean };
  shutdown(): Promise<void>;
}

export interface CoreOptions {
  readonly filesOf: (model: string) => readonly ModelFile[];
  readonly adapterOf: (context: CubeContext) => Adapter;
  readonly log: (message: string, details: Readonly<Record<string, unknown>>) => void;
}

type Constructor<T> = new (...options: never[]) => T;

/** The GraphQL library that Cube was built with: its schema objects belong to no other copy. */
export interface CubeGraphql {
  parse(text: string): GraphqlDocument;
  validate(schema: object, document: object): readonly GraphqlFailure[];
  execute(args: object): Promise<GraphqlAnswer> | GraphqlAnswer;
  makeSchema(meta: unknown): object;
}
export interface GraphqlDocument {
  readonly definitions: readonly {
    readonly kind: string;
    readonly selectionSet?: { readonly selections: readonly unknown[] };
  }[];
}
export interface GraphqlFailure {
  readonly message: string;
}
export interface GraphqlAnswer {
  readonly data?: unknown;
  readonly errors?: readonly GraphqlFailure[];
  readonly extensions?: unknown;
}

export interface CubeLibrary {
  readonly version: string;
  readonly native: 'module' | 'substitute';
  createCore(options: CoreOptions): Core;
  readonly graphql: CubeGraphql;
  /** Beginning and end of a range such as `last 30 days`, as Cube reads it now. */
  resolveDateRange(text: string, timezone: string): unknown;
}

/** Rows of one answer at most, whoever asks. */
export const HARD_MAX_ROWS = 1_000_000;

/** Read by Cube from the environment and nowhere else. */
const ENVIRONMENT = {
  // The planner in JavaScript, with and without the native module: numbers never depend on which is installed.
  CUBEJS_TESSERACT_SQL_PLANNER: 'false',
  CUBEJS_TELEMETRY: 'false',
  CUBEJS_DEV_MODE: 'false',
  CUBEJS_EXTERNAL_DEFAULT: 'false',
  // One more than the most, so that more can be told from as many.
  CUBEJS_DB_QUERY_LIMIT: String(HARD_MAX_ROWS + 1),
  // Compiling shares the machine with answering.
  CUBEJS_TRANSPILATION_WORKER_THREADS_COUNT: '1',
};

let loaded: CubeLibrary | null = null;

/** What is installed, without loading it. */
export function cubeInstalled(): { readonly version: string; readonly native: boolean } {
  const require = createRequire(import.meta.url);
  const core = require.resolve('@cubejs-backend/server-core/package.json');
  const native = createRequire(core).resolve('@cubejs-backend/native/package.json');
  const { version } = JSON.parse(readFileSync(core, 'utf8')) as { version: string };
  return { version, native: existsSync(join(dirname(native), 'native', 'index.node')) };
}

/** Loads Cube once per process. */
export function loadCube(translations: Translations): CubeLibrary {
  loaded ??= load(translations);
  return loaded;
}

function load(translations: Translations): CubeLibrary {
  Object.assign(process.env, ENVIRONMENT);
  const require = createRequire(import.meta.url);
  const inCore = createRequire(require.resolve('@cubejs-backend/server-core'));
  const inGateway = createRequire(inCore.resolve('@cubejs-backend/api-gateway'));
  const native = ensureNative(inCore('@cubejs-backend/native') as NativeExports);
  const server = require('@cubejs-backend/server-core') as {
    CubejsServerCore: Constructor<Core> & { version(): string };
  };
  const inCompiler = createRequire(inCore.resolve('@cubejs-backend/schema-compiler'));
  const { ClickHouseQuery } = inCompiler('./adapter/ClickHouseQuery') as { ClickHouseQuery: object };
  shareCompileWorker(inCompiler('workerpool') as WorkerPools, translations);
  const graphql = createRequire(inGateway.resolve('nexus'))('graphql') as CubeGraphql;
  const { makeSchema } = inGateway('./graphql') as Pick<CubeGraphql, 'makeSchema'>;
  const queries = inGateway('./query') as Normalizing & Pick<CubeLibrary, 'resolveDateRange'>;
  normalizeOnce(queries);
  readSettingsOnce(createRequire(inCore.resolve('@cubejs-backend/shared'))('./env') as Environment);
  return {
    version: server.CubejsServerCore.version(),
    native,
    createCore: (options) => createCore(server.CubejsServerCore, dialectOf(ClickHouseQuery), options),
    graphql: {
      parse: graphql.parse,
      validate: graphql.validate,
      execute: graphql.execute,
      makeSchema,
    },
    resolveDateRange: queries.resolveDateRange,
  };
}

/** Cube with everything taken out that runs by itself: no orchestrator, no queue, no refresh, no development server. */
function createCore(
  Base: Constructor<Core>,
  dialect: object,
  { filesOf, adapterOf, log }: CoreOptions,
): Core {
  const Server = class extends (Base as new (options: object) => Core) {
    getOrchestratorApi(context: CubeContext): Promise<Adapter> {
      return Promise.resolve(adapterOf(context));
    }
  };
  // Cube takes anything but production for a developer's machine, and starts a store of its own there.
  const { NODE_ENV } = process.env;
  process.env.NODE_ENV = 'production';
  try {
    return new Server({
      driverFactory: () => ({ type: 'clickhouse' }),
      dialectFactory: () => dialect,
      contextToAppId: ({ securityContext }: CubeContext) => securityContext.model,
      repositoryFactory: ({ securityContext }: CubeContext) => ({
        localPath: () => '',
        dataSchemaFiles: () => Promise.resolve([...filesOf(securityContext.model)]),
      }),
      scheduledRefreshTimer: false,
      telemetry: false,
      devServer: false,
      cacheAndQueueDriver: 'memory',
      allowNodeRequire: false,
      sqlCache: true,
      apiSecret: 'unused: the hub knows who asks before Cube does',
      logger: log,
    });
  } finally {
    if (NODE_ENV === undefined) delete process.env.NODE_ENV;
    else process.env.NODE_ENV = NODE_ENV;
  }
}
