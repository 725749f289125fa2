import {
  type AccessProfile,
  HubError,
  type LoadSemanticOptions,
  type Logger,
  type Principal,
  type SemanticLayer,
  type SemanticMeta,
  type SemanticQuery,
  type Warehouse,
} from '#kernel';
import type { ModelInput } from '../generate/index.ts';
import { type Admit, Runner, type Statement, type TableClock } from '../results/index.ts';
import type { Candidate, QuestionLog, Rollups } from '../rollups/index.ts';
import { type Answer, Answers, freshnessOf, rollupsOf } from './answers.ts';
import { failure, hasLimit, restQuery, shown, tooLarge } from './asked.ts';
import { columnarOf } from './columnar.ts';
import { finished, type Ran } from './finished.ts';
import { HARD_MAX_ROWS } from './library.ts';
import { metaOf } from './meta.ts';
import { type Model, type ModelSource, type ModelStatus, Models } from './models.ts';
import {
  type GraphqlQuestion,
  openPlanner,
  type Plan,
  type Planner,
  type PlannerAbout,
} from './planner/index.ts';
import { meanTheSame, Plans } from './plans.ts';
import { boundTo, type Request, Requests } from './requests.ts';

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
  /** Answers from roll-ups where that is exact. */
  readonly rollups?: Rollups;
  /** Counts what is asked and read from the tables themselves. */
  readonly questions?: QuestionLog;
  /** Folder in which what compiles quicker the next time is kept; default: nowhere. */
  readonly cacheDir?: string;
  /** Longest run of one statement. Default 60. */
  readonly maxSeconds?: number;
}

export interface LoadRequest {
  /** As Cube's REST API takes it: an object, a list of them, or their JSON. */
  readonly query: unknown;
  readonly queryType?: string | undefined;
  readonly cache?: string | undefined;
  /** False: nothing is read from roll-ups. */
  readonly rollups?: boolean | undefined;
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
  /** Questions that were planned so far. */
  readonly plans: number;
}

export interface CubeLayer extends SemanticLayer {
  /** Cube's REST API: answers in its format, failures too. `freshness`, `cached`, `tables`, `truncated` are added. */
  readonly rest: {
    load(principal: Principal, request: LoadRequest, signal?: AbortSignal): Promise<Answer>;
    sql(principal: Principal, query: unknown): Promise<Answer>;
    dryRun(principal: Principal, query: unknown): Promise<Answer>;
    meta(principal: Principal): Promise<Answer>;
  };
  graphql(
    principal: Principal,
    question: GraphqlQuestion,
    signal?: AbortSignal,
    options?: { readonly rollups?: boolean },
  ): Promise<Answer>;
  /** Compiles what this principal would ask, if it is not; nothing is thrown. */
  warm(principal: Principal): Promise<void>;
  /** Roll-ups of the profile's model from which the question could be answered, in the order of its files. */
  rollupsFor(profile: AccessProfile, query: SemanticQuery): Promise<readonly Candidate[]>;
  /** Rejects with what Cube says if a model of these files and tables does not compile; nothing is put in force. */
  compiles(profile: AccessProfile, source: ModelInput): Promise<void>;
  /** Tables, definitions or curated files have changed. */
  refresh(): Promise<void>;
  status(): CubeStatus;
  close(): Promise<void>;
}

const DEFAULT_MAX_ROWS = 50_000;

interface Loaded {
  readonly planner: Planner;
  readonly models: Models;
  about: PlannerAbout | null;
}

interface Entered {
  readonly model: Model;
  readonly profile: AccessProfile;
  readonly params: Readonly<Record<string, string>>;
  readonly planner: Planner;
}

interface Meta {
  readonly rest: Buffer;
  readonly port: SemanticMeta;
}

let layers = 0;

/** The semantic layer on Cube. Nothing of Cube is loaded before the first question, and never in this thread. */
export function createCubeLayer(options: CubeOptions): CubeLayer {
  const { clock, logger, cacheBytes = 64 * 1024 * 1024 } = options;
  layers += 1;
  const layer = `${layers}`;
  const runner = new Runner({
    warehouse: options.warehouse,
    clock,
    maxBytes: cacheBytes,
    maxSeconds: options.maxSeconds ?? 60,
  });
  const requests = new Requests(runner, options.rollups, options.questions);
  const plans = new Plans();
  const answers = new Answers(clock, cacheBytes, (ranges) => meanTheSame(cube().planner, ranges));
  const metas = new WeakMap<Model, Promise<Meta>>();
  let loaded: Loaded | null = null;

  const cube = (): Loaded => {
    if (loaded) return loaded;
    const planner = openPlanner(
      logger,
      (id, planned) => requests.runFor(id, planned),
      options.cacheDir ?? null,
    );
    const opened: Loaded = {
      planner,
      models: new Models(planner, options.models, logger, layer),
      about: null,
    };
    planner.about.then(
      (about) => {
        opened.about = about;
      },
      () => {}, // told to whoever asks
    );
    // The next question starts another.
    void planner.ended.then(() => {
      if (loaded === opened) loaded = null;
      return planner.release();
    });
    loaded = opened;
    return opened;
  };

  const enter = async (principal: Principal): Promise<Entered> => {
    const profile = await options.profileOf(principal);
    const { models, planner } = cube();
    const model = await models.of(profile);
    await clock.current();
    return { model, profile, planner, params: profile.params(principal) };
  };

  const requestOf = (
    principal: Principal,
    { params, profile }: Entered,
    more: Partial<Pick<Request, 'signal' | 'fresh' | 'defaultLimit' | 'rollups'>>,
  ): Request => {
    const admit: Admit = (statement) =>
      options.admit ? options.admit(principal, statement) : Promise.resolve(() => {});
    return requests.open({
      params,
      profile,
      admit,
      rollups: true,
      signal: undefined,
      fresh: false,
      defaultLimit: false,
      ...more,
    });
  };

  /** Errors: what Cube refuses. */
  const planned = async (
    { planner, model }: Entered,
    query: unknown,
    queryType: string | undefined,
  ): Promise<Plan> => {
    const plan = await plans.of(planner, model.key, query, queryType);
    if ('refused' in plan) throw failure(plan.refused, plan.status);
    return plan;
  };

  const runAll = (request: Request, { parts }: Plan): Promise<Ran[]> =>
    Promise.all(
      parts.map(async ({ statement, total }): Promise<Ran> => {
        const [rows, all] = await Promise.all([
          requests.run(request, statement),
          total ? requests.run(request, total) : null,
        ]);
        return { rows, total: all };
      }),
    );

  const plain = (status: number, body: object): Answer => ({
    status,
    body: Buffer.from(JSON.stringify(body)),
  });

  const ofCube = async (principal: Principal, query: unknown, what: 'sql' | 'dryRun'): Promise<Answer> => {
    const { planner, model } = await enter(principal);
    const { message, status } = await planner.call('ask', model.key, what, restQuery(query));
    return plain(status, message);
  };

  const metaFor = async (principal: Principal): Promise<Meta> => {
    const { planner, model } = await enter(principal);
    let meta = metas.get(model);
    if (!meta) {
      meta = readMeta(planner, model);
      metas.set(model, meta);
      meta.catch(() => metas.delete(model));
    }
    return meta;
  };

  const readMeta = async (planner: Planner, { key, version }: Model): Promise<Meta> => {
    const { message } = await planner.call('ask', key, 'meta', null);
    if (message.error !== undefined) throw new HubError('SEMANTIC_FAILED', message.error);
    return { rest: Buffer.from(JSON.stringify(message)), port: metaOf(version, message) };
  };

  return {
    rest: {
      async load(principal, asked, signal) {
        const entered = await enter(principal);
        const query = restQuery(asked.query);
        const fresh = asked.cache === 'no-cache' || asked.cache === 'must-revalidate';
        const { model, params } = entered;
        const rollups = asked.rollups ?? true;
        const key = `${model.key} ${rollups ? '' : 'raw '}${JSON.stringify(params)} ${asked.queryType ?? ''} ${JSON.stringify(query)}`;
        const known = fresh ? null : await answers.get(key);
        if (known) return known;
        const plan = await planned(entered, query, asked.queryType);
        const request = requestOf(principal, entered, {
          signal,
          fresh,
          rollups,
          defaultLimit: !hasLimit(query),
        });
        const ran = await runAll(request, plan);
        const json = shown(() => finished(plan, ran));
        return answers.finish(key, json, request, plan.ranges);
      },
      sql: (principal, query) => ofCube(principal, query, 'sql'),
      dryRun: (principal, query) => ofCube(principal, query, 'dryRun'),
      meta: async (principal) => ({ status: 200, body: (await metaFor(principal)).rest }),
    },

    async graphql(principal, question, signal, { rollups = true } = {}) {
      const entered = await enter(principal);
      const request = requestOf(principal, entered, { signal, rollups, defaultLimit: true });
      const answer = await requests.serving(request, () =>
        entered.planner.call('graphql', entered.model.key, request.id, question),
      );
      const tables = [...new Set(request.outcomes.flatMap((one) => one.tables))].sort();
      const extensions = {
        freshness: freshnessOf(clock, request.outcomes),
        cached: request.outcomes.length > 0 && request.outcomes.every((one) => one.cached),
        tables,
        truncated: request.truncated,
        rollups: rollupsOf(request.outcomes),
      };
      return plain(200, { ...answer, extensions });
    },

    meta: async (principal) => (await metaFor(principal)).port,

    async load(principal, query, given: LoadSemanticOptions = {}) {
      const maxRows = Math.min(given.maxRows ?? DEFAULT_MAX_ROWS, HARD_MAX_ROWS);
      const entered = await enter(principal);
      const request = requestOf(principal, entered, {
        signal: given.signal,
        rollups: given.rollups ?? true,
      });
      const limit = query.limit ?? maxRows + 1;
      const bounded = { ...query, limit: Math.min(limit, maxRows + 1) };
      const plan = await planned(entered, bounded, 'multi');
      const ran = await runAll(request, plan);
      const transforms = plan.parts.map(({ transform }) => transform);
      const result = shown(() =>
        columnarOf(
          transforms,
          ran.map(({ rows }) => rows),
        ),
      );
      if (result.rows.length > maxRows) throw tooLarge(maxRows);
      return {
        ...result,
        freshness: freshnessOf(clock, request.outcomes),
        cached: request.outcomes.every((one) => one.cached),
        tables: [...new Set(request.outcomes.flatMap((one) => one.tables))].sort(),
        rollups: rollupsOf(request.outcomes),
      };
    },

    async sql(principal, query: SemanticQuery) {
      const entered = await enter(principal);
      const plan = await planned(entered, query, undefined);
      const { statement } = plan.parts[0]!;
      return requests.explain(requestOf(principal, entered, {}), statement.query, statement.values);
    },

    async warm(principal) {
      await metaFor(principal).catch((thrown: unknown) => {
        logger.debug({ err: thrown }, 'a model could not be made ready');
      });
    },

    async rollupsFor(profile, query) {
      const { models, planner } = cube();
      const plan = await plans.of(planner, (await models.of(profile)).key, query, undefined);
      if ('refused' in plan) throw failure(plan.refused, plan.status);
      return (plan.parts[0]!.statement.preAggregations ?? []).flatMap((one) => {
        if ('failed' in one) throw new HubError('SEMANTIC_FAILED', one.failed);
        return 'load' in one ? [boundTo(one)] : [];
      });
    },

    compiles: (profile, source) => cube().models.compiles(profile, source),
    refresh: async () => {
      await loaded?.models.refresh();
    },
    status: () => ({
      native: loaded?.about?.native ?? 'unloaded',
      version: loaded?.about?.version ?? null,
      models: loaded?.models.status() ?? [],
      results: runner.stats(),
      answers: answers.stats(),
      plans: plans.made,
    }),
    async close() {
      const closing = loaded;
      loaded = null;
      await closing?.planner.release();
    },
  };
}
