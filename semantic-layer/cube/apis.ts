import { HubError, type Principal, type SemanticMeta } from '#kernel';
import {
  type Answer,
  Answers,
  freshnessOf,
  type LoadedAnswer,
  type MeanTheSame,
  rollupsOf,
} from './answers.ts';
import { hasLimit, restQuery, shown } from './asked.ts';
import type { Asking, Entered } from './asking.ts';
import { finished } from './finished.ts';
import { follow } from './live.ts';
import { metaOf } from './meta.ts';
import type { Model } from './models.ts';
import type { Planner } from './planner/index.ts';
import { meanTheSame } from './plans.ts';
import type { CubeLayer, CubeOptions, LoadRequest } from './types.ts';

interface Meta {
  readonly rest: Buffer;
  readonly port: SemanticMeta;
}

export interface CubeApis extends Pick<CubeLayer, 'rest' | 'graphql'> {
  /** What a principal may ask about, as Cube tells it and as the port does. */
  meta(principal: Principal): Promise<Meta>;
  readonly answers: Answers;
}

/** Cube's own REST and GraphQL APIs: its formats, its refusals, and what the hub adds to an answer. */
export function cubeApis(asking: Asking, { clock }: CubeOptions, cacheBytes: number): CubeApis {
  const mean: MeanTheSame = (ranges) => meanTheSame(asking.cube.planner, ranges);
  const answers = new Answers(clock, cacheBytes, mean);
  const metas = new WeakMap<Model, Promise<Meta>>();

  const meta = async (principal: Principal): Promise<Meta> => {
    const { planner, model } = await asking.enter(principal);
    let found = metas.get(model);
    if (!found) {
      found = readMeta(planner, model);
      metas.set(model, found);
      found.catch(() => metas.delete(model));
    }
    return found;
  };

  const ofCube = async (principal: Principal, query: unknown, what: 'sql' | 'dryRun'): Promise<Answer> => {
    const asked = restQuery(query);
    const { message, status } = await asking.ofModel(
      principal,
      ({ planner, model }) => planner.call('ask', model.key, what, asked),
      (answer) => answer.status >= 400,
    );
    return plain(status, message);
  };

  const load = async (
    principal: Principal,
    asked: LoadRequest,
    signal: AbortSignal | undefined,
  ): Promise<LoadedAnswer> => {
    const found = await asking.enter(principal);
    const query = restQuery(asked.query);
    const fresh = asked.cache === 'no-cache' || asked.cache === 'must-revalidate';
    const rollups = asked.rollups ?? true;
    const keyOf = ({ model, params }: Entered): string =>
      `${model.key} ${rollups ? '' : 'raw '}${JSON.stringify(params)} ${asked.queryType ?? ''} ${JSON.stringify(query)}`;
    const key = keyOf(found);
    const known = fresh ? null : await answers.get(key);
    if (known) return known;
    const { entered, plan } = await asking.planned(principal, found, query, asked.queryType);
    const defaultLimit = !hasLimit(query);
    const request = asking.request(principal, entered, { signal, fresh, rollups, defaultLimit });
    const ran = await asking.run(request, plan);
    const json = shown(() => finished(plan, ran));
    return answers.finish(entered === found ? key : keyOf(entered), json, request, plan.ranges);
  };

  return {
    answers,
    meta,
    rest: {
      load,
      live: (principal, asked, next, signal) =>
        follow(() => load(principal, asked, signal), { clock, mean }, next, signal),
      sql: (principal, query) => ofCube(principal, query, 'sql'),
      dryRun: (principal, query) => ofCube(principal, query, 'dryRun'),
      meta: async (principal) => ({ status: 200, body: (await meta(principal)).rest }),
    },

    async graphql(principal, question, signal, { rollups = true } = {}) {
      const { answer, request } = await asking.ofModel(
        principal,
        async (entered) => {
          const { planner, model } = entered;
          const request = asking.request(principal, entered, { signal, rollups, defaultLimit: true });
          const answer = await asking.requests.serving(request, () =>
            planner.call('graphql', model.key, request.id, question),
          );
          return { answer, request };
        },
        // Not of the model's schema: nothing ran.
        ({ answer }) => answer.data === undefined,
      );
      const { outcomes, truncated } = request;
      const extensions = {
        freshness: freshnessOf(clock, outcomes),
        cached: outcomes.length > 0 && outcomes.every((one) => one.cached),
        tables: [...new Set(outcomes.flatMap((one) => one.tables))].sort(),
        truncated,
        rollups: rollupsOf(outcomes),
      };
      return plain(200, { ...answer, extensions });
    },
  };
}

async function readMeta(planner: Planner, { key, version }: Model): Promise<Meta> {
  const { message } = await planner.call('ask', key, 'meta', null);
  if (message.error !== undefined) throw new HubError('SEMANTIC_FAILED', message.error);
  return { rest: Buffer.from(JSON.stringify(message)), port: metaOf(version, message) };
}

const plain = (status: number, body: object): Answer => ({ status, body: Buffer.from(JSON.stringify(body)) });
