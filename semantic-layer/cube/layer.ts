import { HubError, type LoadSemanticOptions, type SemanticQuery } from '#kernel';
import { freshnessOf, rollupsOf } from './answers.ts';
import { cubeApis } from './apis.ts';
import { shown, tooLarge } from './asked.ts';
import { Asking } from './asking.ts';
import { columnarOf } from './columnar.ts';
import { HARD_MAX_ROWS } from './library.ts';
import { boundTo } from './requests.ts';
import type { CubeLayer, CubeOptions } from './types.ts';

const DEFAULT_MAX_ROWS = 50_000;
const CACHE_BYTES = 64 * 1024 * 1024;

/** The semantic layer on Cube. Nothing of Cube is loaded before the first question, and never in this thread. */
export function createCubeLayer(options: CubeOptions): CubeLayer {
  const { clock, logger, cacheBytes = CACHE_BYTES } = options;
  const asking = new Asking(options, cacheBytes);
  const { rest, graphql, meta, answers } = cubeApis(asking, options, cacheBytes);

  return {
    rest,
    graphql,
    meta: async (principal) => (await meta(principal)).port,

    async load(principal, query, given: LoadSemanticOptions = {}) {
      const maxRows = Math.min(given.maxRows ?? DEFAULT_MAX_ROWS, HARD_MAX_ROWS);
      const { signal, rollups = true } = given;
      const bounded = { ...query, limit: Math.min(query.limit ?? maxRows + 1, maxRows + 1) };
      const { entered, plan } = await asking.planned(
        principal,
        await asking.enter(principal),
        bounded,
        'multi',
      );
      const request = asking.request(principal, entered, { signal, rollups });
      const ran = await asking.run(request, plan);
      const transforms = plan.parts.map(({ transform }) => transform);
      const outcomes = ran.map(({ rows }) => rows);
      const result = shown(() => columnarOf(transforms, outcomes));
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
      const { entered, plan } = await asking.planned(principal, await asking.enter(principal), query);
      const { statement } = plan.parts[0]!;
      const request = asking.request(principal, entered, {});
      return asking.requests.explain(request, statement.query, statement.values);
    },

    async warm(principal) {
      await meta(principal).catch((thrown: unknown) => {
        logger.debug({ err: thrown }, 'a model could not be made ready');
      });
    },

    async rollupsFor(profile, query) {
      const { models, planner } = asking.cube;
      const { key } = await models.of(profile, null);
      const plan = await asking.plan(planner, key, query);
      return (plan.parts[0]!.statement.preAggregations ?? []).flatMap((one) => {
        if ('failed' in one) throw new HubError('SEMANTIC_FAILED', one.failed);
        return 'load' in one ? [boundTo(one)] : [];
      });
    },

    compiles: (profile, source) => asking.cube.models.compiles(profile, source),
    refresh: async () => {
      await asking.loaded?.models.refresh();
    },
    status: () => ({
      native: asking.loaded?.about?.native ?? 'unloaded',
      version: asking.loaded?.about?.version ?? null,
      models: asking.loaded?.models.status() ?? [],
      results: asking.runner.stats(),
      answers: answers.stats(),
      plans: asking.plans.made,
    }),
    close: () => asking.close(),
  };
}
