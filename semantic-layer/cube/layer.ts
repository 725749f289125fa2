import {
  type AccessProfile,
  HubError,
  type LoadSemanticOptions,
  type Logger,
  type Principal,
  type SemanticLayer,
  type SemanticMeta,
  type SemanticQuery,
  userError,
  type Warehouse,
} from '#kernel';
import { type Admit, Runner, type Statement, type TableClock } from '../results/index.ts';
import { type Answer, Answers, freshnessOf } from './answers.ts';
import { columnarOf } from './columnar.ts';
import { graphqlOf } from './graphql.ts';
import {
  type Core,
  type CubeLibrary,
  type ErrorMessage,
  HARD_MAX_ROWS,
  loadCube,
  type ResultMessage,
} from './library.ts';
import { metaOf } from './meta.ts';
import { type ModelSource, type ModelStatus, Models } from './models.ts';
import type { Transform } from './native/index.ts';
import { relativeRanges } from './ranges.ts';
import { type Request, Requests } from './requests.ts';

export interface CubeOptions {
  readonly warehouse: Warehouse;
  readonly clock: TableClock;
  readonly logger: Logger;
  /** What the principal may see; asked for each request. */
  readonly profileOf: (principal: Principal) => Promise<AccessProfile>;
  readonly models: ModelSource;
  /** Refuses what a principal may not run now (rows, bytes, concurrency); default: nothing. */
  readonly admit?: (principal: Principal, statement: Statement) => Promise<() => void>;
  /** Room for results, and as much for finished answers. Default 64 MiB each. */
  readonly cacheBytes?: number;
  /** Longest run of one statement. Default 60. */
  readonly maxSeconds?: number;
}

export interface LoadRequest {
  /** As Cube's REST API takes it: an object, a list of them, or their JSON. */
  readonly query: unknown;
  readonly queryType?: string | undefined;
  readonly cache?: string | undefined;
}

export interface GraphqlRequest {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  readonly operationName?: string | undefined;
}

export interface CubeStatus {
  /** 'unloaded' until the first question. */
  readonly native: 'module' | 'substitute' | 'unloaded';
  readonly version: string | null;
  readonly models: readonly ModelStatus[];
  readonly results: {
    readonly entries: number;
    readonly bytes: number;
    readonly hits: number;
    readonly runs: number;
  };
  readonly answers: { readonly entries: number; readonly bytes: number; readonly hits: number };
}

export interface CubeLayer extends SemanticLayer {
  /** Cube's REST API: answers in its format, failures too. `freshness`, `cached`, `tables`, `truncated` are added. */
  readonly rest: {
    load(principal: Principal, request: LoadRequest, signal?: AbortSignal): Promise<Answer>;
    sql(principal: Principal, query: unknown): Promise<Answer>;
    dryRun(principal: Principal, query: unknown): Promise<Answer>;
    meta(principal: Principal): Promise<Answer>;
  };
  graphql(principal: Principal, request: GraphqlRequest, signal?: AbortSignal): Promise<Answer>;
  /** Tables, definitions or curated files have changed. */
  refresh(): Promise<void>;
  status(): CubeStatus;
  close(): Promise<void>;
}

/** Rows of one answer over REST and GraphQL. */
const REST_MAX_ROWS = 50_000;
const DEFAULT_MAX_ROWS = 50_000;

interface Loaded {
  readonly library: CubeLibrary;
  readonly core: Core;
  readonly models: Models;
  readonly answers: Answers;
  readonly resolve: (text: string, timezone: string) => string;
}

/** The semantic layer on Cube. Nothing of Cube is loaded before the first question. */
export function createCubeLayer(options: CubeOptions): CubeLayer {
  const { clock, logger, cacheBytes = 64 * 1024 * 1024 } = options;
  const runner = new Runner({
    warehouse: options.warehouse,
    clock,
    maxBytes: cacheBytes,
    maxSeconds: options.maxSeconds ?? 60,
  });
  const requests = new Requests(runner);
  let loaded: Loaded | null = null;

  const cube = (): Loaded => {
    if (loaded) return loaded;
    const library = loadCube();
    const files = new Map();
    const core = library.createCore({
      filesOf: (model) => files.get(model) ?? [],
      adapterOf: (context) => requests.adapterOf(context),
      log: (message, { error }) => {
        if (error !== undefined) logger.debug({ error: String(error).slice(0, 2000) }, `cube: ${message}`);
      },
    });
    const resolve = (text: string, timezone: string): string => {
      try {
        return JSON.stringify(library.resolveDateRange(text, timezone));
      } catch {
        return 'unreadable'; // Cube says what is wrong with it
      }
    };
    loaded = {
      library,
      core,
      models: new Models(core, options.models, logger, files),
      answers: new Answers(clock, cacheBytes, resolve),
      resolve,
    };
    return loaded;
  };

  const enter = async (principal: Principal) => {
    const profile = await options.profileOf(principal);
    const model = await cube().models.of(profile);
    await clock.current();
    return { model, params: profile.params(principal) };
  };

  const admitFor =
    (principal: Principal): Admit =>
    (statement) =>
      options.admit ? options.admit(principal, statement) : Promise.resolve(() => {});

  const open = async (
    principal: Principal,
    more: {
      readonly defaultLimit?: boolean;
      readonly fresh?: boolean;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<Request> => {
    const { model, params } = await enter(principal);
    return requests.open(model.key, {
      params,
      signal: more.signal,
      fresh: more.fresh ?? false,
      defaultLimit: more.defaultLimit ?? false,
      admit: admitFor(principal),
    });
  };

  /** One call of Cube's gateway, its answer as a promise. */
  const ask = async <M>(
    call: (res: (message: M, options?: { status?: number }) => void) => Promise<void>,
  ) => {
    const answer = Promise.withResolvers<{ message: M; status: number }>();
    await call((message, { status = 200 } = {}) => answer.resolve({ message, status }));
    return answer.promise;
  };

  const plain = (status: number, body: object): Answer => ({
    status,
    body: Buffer.from(JSON.stringify(body)),
  });

  const loadRaw = (request: Request, query: unknown, queryType: string | undefined, apiType: string) =>
    ask<ResultMessage | ErrorMessage>((res) =>
      cube()
        .core.apiGateway()
        .load({ query: structuredClone(query), queryType, context: request.context, res, apiType }),
    );

  const ofCube = async (principal: Principal, query: unknown, what: 'sql' | 'dryRun'): Promise<Answer> => {
    const request = await open(principal, {});
    const { message, status } = await ask<ErrorMessage>((res) =>
      cube()
        .core.apiGateway()
        [what]({ query: structuredClone(restQuery(query)), context: request.context, res }),
    );
    return plain(status, message);
  };

  const meta = async (principal: Principal) => {
    const request = await open(principal, {});
    const { message } = await ask<ErrorMessage>((res) =>
      cube().core.apiGateway().meta({ context: request.context, res, includeCompilerId: true }),
    );
    if (message.error !== undefined) throw new HubError('SEMANTIC_FAILED', message.error);
    return { message, version: request.context.securityContext.model.split(' ')[1]! };
  };

  return {
    rest: {
      async load(principal, asked, signal) {
        const { model, params } = await enter(principal);
        const query = restQuery(asked.query);
        const fresh = asked.cache === 'no-cache' || asked.cache === 'must-revalidate';
        const key = `${model.key} ${JSON.stringify(params)} ${asked.queryType ?? ''} ${JSON.stringify(query)}`;
        const known = fresh ? null : cube().answers.get(key);
        if (known) return known;
        const request = requests.open(model.key, {
          params,
          signal,
          fresh,
          defaultLimit: !hasLimit(query),
          admit: admitFor(principal),
        });
        const ranges = relativeRanges(query, cube().resolve);
        const { message, status } = await loadRaw(request, query, asked.queryType, 'rest');
        if (!message.isWrapper) throw failure(request, message, status);
        const json = Buffer.from(await message.getFinalResult().catch(refused));
        return cube().answers.finish(key, json, request, ranges);
      },
      sql: (principal, query) => ofCube(principal, query, 'sql'),
      dryRun: (principal, query) => ofCube(principal, query, 'dryRun'),
      meta: async (principal) => plain(200, (await meta(principal)).message),
    },

    async graphql(principal, asked, signal) {
      const request = await open(principal, { signal, defaultLimit: true });
      const { core, library } = cube();
      const answer = await graphqlOf(library, core, request.context, asked);
      const tables = [...new Set(request.outcomes.flatMap((one) => one.tables))].sort();
      const extensions = {
        freshness: freshnessOf(clock, request.outcomes),
        cached: request.outcomes.length > 0 && request.outcomes.every((one) => one.cached),
        tables,
        truncated: request.truncated,
      };
      return plain(200, { ...answer, extensions });
    },

    async meta(principal): Promise<SemanticMeta> {
      const { message, version } = await meta(principal);
      return metaOf(version, message);
    },

    async load(principal, query, given: LoadSemanticOptions = {}) {
      const maxRows = Math.min(given.maxRows ?? DEFAULT_MAX_ROWS, HARD_MAX_ROWS);
      const request = await open(principal, { signal: given.signal });
      const limit = query.limit ?? maxRows + 1;
      const bounded = { ...query, limit: Math.min(limit, maxRows + 1) };
      const { message, status } = await loadRaw(request, bounded, 'multi', 'rest');
      if (!message.isWrapper) throw failure(request, message, status);
      const transforms = message.getTransformData() as readonly Transform[];
      const result = shown(() => columnarOf(transforms, request.outcomes));
      if (result.rows.length > maxRows) throw tooLarge(maxRows);
      return {
        ...result,
        freshness: freshnessOf(clock, request.outcomes),
        cached: request.outcomes.every((one) => one.cached),
        tables: [...new Set(request.outcomes.flatMap((one) => one.tables))].sort(),
      };
    },

    async sql(principal, query: SemanticQuery) {
      const request = await open(principal, {});
      const { message, status } = await ask<ErrorMessage>((res) =>
        cube()
          .core.apiGateway()
          .sql({ query: structuredClone(query), context: request.context, res }),
      );
      if (message.error !== undefined) throw failure(request, message, status);
      const { sql } = message as unknown as { sql: { sql: [string, unknown[]] } };
      const [text, values] = sql.sql;
      return requests.explain(request, text, values);
    },

    refresh: async () => {
      await loaded?.models.refresh();
    },
    status: () => ({
      native: loaded?.library.native ?? 'unloaded',
      version: loaded?.library.version ?? null,
      models: loaded?.models.status() ?? [],
      results: runner.stats(),
      answers: loaded?.answers.stats() ?? { entries: 0, bytes: 0, hits: 0 },
    }),
    async close() {
      await loaded?.core.shutdown();
    },
  };
}

/** A query as sent over REST. Errors: QUERY_INVALID, for what is no JSON or asks for too much. */
function restQuery(query: unknown): unknown {
  let parsed = query;
  if (typeof query === 'string') {
    try {
      parsed = JSON.parse(query);
    } catch (cause) {
      throw userError(
        'QUERY_INVALID',
        'The query is not JSON.',
        'Send it as Cube’s REST API takes it.',
        cause,
      );
    }
  }
  const all = Array.isArray(parsed) ? parsed : [parsed];
  if (all.length > MAX_BLENDED)
    throw userError(
      'QUERY_INVALID',
      `A request holds at most ${MAX_BLENDED} queries.`,
      'Send several requests.',
    );
  for (const one of all) {
    if (typeof one !== 'object' || one === null)
      throw userError('QUERY_INVALID', 'A query is an object.', 'See docs/semantic-layer.md.');
    const { limit } = one as { limit?: unknown };
    if (typeof limit === 'number' && limit > REST_MAX_ROWS)
      throw userError(
        'QUERY_INVALID',
        `A limit is at most ${REST_MAX_ROWS}.`,
        'Read further rows with "offset", or ask for less detail.',
      );
  }
  return parsed;
}

const MAX_BLENDED = 20;

const hasLimit = (query: unknown): boolean =>
  (Array.isArray(query) ? query : [query]).some(
    (one) => typeof (one as { limit?: unknown }).limit === 'number',
  );

/** What went wrong in the warehouse or with the caller's query, as the hub says it. */
function failure(request: Request, message: ErrorMessage, status: number): HubError {
  if (request.failed) return request.failed;
  const text = String(message.error ?? 'The query failed.').replace(/^(User)?Error: /, '');
  if (
    status >= 500 &&
    !/^(You requested hidden|Can't find|.*not found for path|.* not found|Expressions are not)/i.test(text)
  )
    return new HubError('SEMANTIC_FAILED', text, { next: 'Look for the request id in the hub’s log.' });
  return userError('QUERY_INVALID', text, 'Look at /cubejs-api/v1/meta for the members there are.');
}

/** Cube's ways to say that a member cannot be read come when the result is written. */
const refused = (thrown: unknown): never => {
  throw userError(
    'QUERY_INVALID',
    (thrown as Error).message,
    'Look at /cubejs-api/v1/meta for the members there are.',
    thrown,
  );
};

function shown<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    return refused(thrown);
  }
}

const tooLarge = (maxRows: number): HubError =>
  userError(
    'QUERY_TOO_LARGE',
    `The result has more than ${maxRows.toLocaleString('en')} rows.`,
    'Ask for less detail, or filter.',
  );
