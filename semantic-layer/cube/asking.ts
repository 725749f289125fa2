import type { AccessProfile, Principal } from '#kernel';
import { type Admit, Runner } from '../results/index.ts';
import { failure } from './asked.ts';
import type { Ran } from './finished.ts';
import { type Model, Models } from './models.ts';
import { openPlanner, type Plan, type Planner, type PlannerAbout } from './planner/index.ts';
import { Plans } from './plans.ts';
import { type Request, Requests } from './requests.ts';
import type { CubeOptions } from './types.ts';

interface Loaded {
  readonly planner: Planner;
  readonly models: Models;
  about: PlannerAbout | null;
}

/** A principal's way in: its model, compiled, and what its statements are bound to. */
export interface Entered {
  readonly model: Model;
  readonly profile: AccessProfile;
  readonly params: Readonly<Record<string, string>>;
  readonly planner: Planner;
}

let layers = 0;

/** How a question becomes rows, whichever way it was asked: enter, plan, run. */
export class Asking {
  readonly runner: Runner;
  readonly requests: Requests;
  readonly plans = new Plans();
  readonly #options: CubeOptions;
  /** Of this layer among those that share a planner. */
  readonly #layer: string;
  #loaded: Loaded | null = null;

  constructor(options: CubeOptions, cacheBytes: number) {
    const { warehouse, clock, maxSeconds = 60 } = options;
    layers += 1;
    this.#layer = `${layers}`;
    this.#options = options;
    this.runner = new Runner({ warehouse, clock, maxBytes: cacheBytes, maxSeconds });
    this.requests = new Requests(this.runner, options.rollups, options.questions);
  }

  /** Nothing of Cube is loaded before this is asked for. */
  get cube(): Loaded {
    this.#loaded ??= this.#open();
    return this.#loaded;
  }

  get loaded(): Loaded | null {
    return this.#loaded;
  }

  async enter(principal: Principal): Promise<Entered> {
    const profile = await this.#options.profileOf(principal);
    const { models, planner } = this.cube;
    const model = await models.of(profile, principal);
    await this.#options.clock.current();
    return { model, profile, planner, params: profile.params(principal) };
  }

  request(
    principal: Principal,
    { params, profile }: Entered,
    more: Partial<Pick<Request, 'signal' | 'fresh' | 'defaultLimit' | 'rollups'>>,
  ): Request {
    const { admit: allows } = this.#options;
    const admit: Admit = (statement) => (allows ? allows(principal, statement) : Promise.resolve(() => {}));
    return this.requests.open({
      params,
      profile,
      admit,
      rollups: true,
      signal: undefined,
      fresh: false,
      defaultLimit: false,
      ...more,
    });
  }

  /**
   * The question planned, and as whom it was entered then. What a model does not have may be in the next one, of a table
   * that was added a moment ago: where that is being made it is waited for. Errors: what Cube refuses.
   */
  async planned(
    principal: Principal,
    entered: Entered,
    query: unknown,
    queryType?: string | undefined,
  ): Promise<{ readonly entered: Entered; readonly plan: Plan }> {
    const { planner, model, profile } = entered;
    const plan = await this.plans.of(planner, model.key, query, queryType);
    if (!('refused' in plan)) return { entered, plan };
    if (await this.cube.models.follows(profile, model))
      return this.planned(principal, await this.enter(principal), query, queryType);
    throw failure(plan.refused, plan.status);
  }

  /**
   * What `ask` gives of the principal's model; where it is `refused` while another model is being made, of that one: see
   * `planned`.
   */
  async ofModel<T>(
    principal: Principal,
    ask: (entered: Entered) => Promise<T>,
    refused: (answer: T) => boolean,
  ): Promise<T> {
    for (;;) {
      const entered = await this.enter(principal);
      const answer = await ask(entered);
      if (!refused(answer)) return answer;
      if (!(await this.cube.models.follows(entered.profile, entered.model))) return answer;
    }
  }

  /** Planned with this model and no other. Errors: what Cube refuses. */
  async plan(planner: Planner, model: string, query: unknown): Promise<Plan> {
    const plan = await this.plans.of(planner, model, query, undefined);
    if ('refused' in plan) throw failure(plan.refused, plan.status);
    return plan;
  }

  run(request: Request, { parts }: Plan): Promise<Ran[]> {
    return Promise.all(
      parts.map(async ({ statement, total }): Promise<Ran> => {
        const [rows, all] = await Promise.all([
          this.requests.run(request, statement),
          total ? this.requests.run(request, total) : null,
        ]);
        return { rows, total: all };
      }),
    );
  }

  async close(): Promise<void> {
    const closing = this.#loaded;
    this.#loaded = null;
    await closing?.planner.release();
  }

  #open(): Loaded {
    const { logger, cacheDir = null } = this.#options;
    const planner = openPlanner(logger, (id, planned) => this.requests.runFor(id, planned), cacheDir);
    const opened: Loaded = { planner, models: new Models(planner, this.#options, this.#layer), about: null };
    planner.about.then(
      (about) => {
        opened.about = about;
      },
      () => {}, // told to whoever asks
    );
    // The next question starts another.
    void planner.ended.then(() => {
      if (this.#loaded === opened) this.#loaded = null;
      return planner.release();
    });
    return opened;
  }
}
