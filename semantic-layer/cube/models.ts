import {
  type AccessProfile,
  HubError,
  type Logger,
  type ModelFile,
  type Principal,
  RecentMap,
  toHubError,
} from '#kernel';
import type { ModelInput } from '../generate/index.ts';
import type { ModelMatter, Planner } from './planner/index.ts';

/**
 * Where models come from: files, or what `generateModel` makes them of, which is then done beside. Pure, so that the
 * same tables and profile give the same files.
 */
export type ModelSource = (profile: AccessProfile) => Promise<readonly ModelFile[] | ModelInput>;

export interface ModelStatus {
  readonly profile: string;
  /** Of what is served now; null: none compiles yet. */
  readonly version: string | null;
  readonly state: 'compiling' | 'ready' | 'failed';
  /** Why the newest model is not served. */
  readonly error: string | null;
  readonly compiledAt: string | null;
  readonly compileMs: number | null;
}

export interface Model {
  readonly key: string;
  readonly version: string;
  readonly compiledAt: Date;
  readonly compileMs: number;
}

interface Slot {
  profile: AccessProfile;
  /** Somebody whose profile it is; null: nobody in particular. */
  principal: Principal | null;
  current: Model | null;
  /** The newest compile, under way or over; settles always. */
  work: Promise<void>;
  compiling: boolean;
  again: boolean;
  error: HubError | null;
}

/** Models kept compiled at once; one that was not asked for long goes first. */
const MOST_PROFILES = 24;

export interface ModelsOptions {
  readonly models: ModelSource;
  /** What a principal may see now. */
  readonly profileOf: (principal: Principal) => Promise<AccessProfile>;
  readonly logger: Logger;
}

/**
 * One compiled model per access profile. When tables or definitions change, each is made anew beside the one that
 * serves, which goes on until the new one is ready; one that does not compile changes nothing but the status.
 */
export class Models {
  readonly #planner: Planner;
  readonly #source: ModelSource;
  readonly #profileOf: ModelsOptions['profileOf'];
  readonly #logger: Logger;
  readonly #layer: string;
  readonly #slots = new RecentMap<string, Slot>();
  #queue: Promise<void> = Promise.resolve();

  /** `layer` sets the models of several layers of one planner apart. */
  constructor(planner: Planner, { models, profileOf, logger }: ModelsOptions, layer: string) {
    this.#planner = planner;
    this.#source = models;
    this.#profileOf = profileOf;
    this.#logger = logger;
    this.#layer = layer;
  }

  /** The model that serves this profile, of `principal`; waits for the first. Errors: SEMANTIC_MODEL_INVALID. */
  async of(profile: AccessProfile, principal: Principal | null): Promise<Model> {
    const slot = this.#slots.get(profile.id) ?? this.#open(profile);
    slot.principal = principal ?? slot.principal;
    if (slot.profile !== profile) {
      // The same rights over other tables: their columns are in the profile.
      slot.profile = profile;
      void this.#compile(slot);
    }
    if (!slot.current) await slot.work;
    if (slot.current) return slot.current;
    throw slot.error ?? invalid('no model');
  }

  /** True once another model than `known` serves this profile: waits for one that is being made, and for no other. */
  async follows(profile: AccessProfile, known: Model): Promise<boolean> {
    const slot = this.#slots.get(profile.id);
    if (!slot?.compiling) return false;
    await slot.work;
    return slot.current !== null && slot.current !== known;
  }

  /**
   * Whether the model of this source compiles, without putting it in force; if it is, that costs nothing more. Errors:
   * what Cube says.
   */
  async compiles(profile: AccessProfile, source: ModelInput): Promise<void> {
    const owner = this.#ownerOf(profile);
    const made = await this.#planner.call('compile', owner, matterOf(source, profile), null);
    if (made) this.#retire(made);
  }

  /** Tables, definitions or curated files have changed: resolves once every model that is in use follows. */
  async refresh(): Promise<void> {
    await Promise.all(
      [...this.#slots.entries()].map(async ([id, slot]) => {
        // Columns of tables that were not there before are in the profile of today.
        const renewed = slot.principal && (await this.#profileOf(slot.principal).catch(() => null));
        if (renewed?.id === id) slot.profile = renewed;
        await this.#compile(slot);
      }),
    );
  }

  status(): ModelStatus[] {
    return [...this.#slots.entries()].map(([, { profile, current, compiling, error }]) => ({
      profile: profile.id,
      version: current?.version ?? null,
      state: compiling ? 'compiling' : error ? 'failed' : 'ready',
      error: error?.message ?? null,
      compiledAt: current?.compiledAt.toISOString() ?? null,
      compileMs: current?.compileMs ?? null,
    }));
  }

  #ownerOf({ id }: AccessProfile): string {
    return `${this.#layer}/${id}`;
  }

  #open(profile: AccessProfile): Slot {
    const slot: Slot = {
      profile,
      principal: null,
      current: null,
      work: Promise.resolve(),
      compiling: false,
      again: false,
      error: null,
    };
    this.#slots.set(profile.id, slot);
    if (this.#slots.size > MOST_PROFILES) {
      const [id, { current }] = this.#slots.oldest()!;
      this.#slots.delete(id);
      if (current) this.#retire(current);
    }
    void this.#compile(slot);
    return slot;
  }

  /** One compile at a time over all profiles; what changes meanwhile is taken up by one more. */
  #compile(slot: Slot): Promise<void> {
    if (slot.compiling) {
      slot.again = true;
      return slot.work;
    }
    slot.compiling = true;
    slot.work = this.#queue.then(async () => {
      do {
        slot.again = false;
        await this.#attempt(slot);
      } while (slot.again);
      slot.compiling = false;
    });
    this.#queue = slot.work;
    return slot.work;
  }

  async #attempt(slot: Slot): Promise<void> {
    const { profile } = slot;
    const started = performance.now();
    try {
      const source = await this.#source(profile);
      const known = slot.current?.version ?? null;
      const made = await this.#planner.call(
        'compile',
        this.#ownerOf(profile),
        matterOf(source, profile),
        known,
      );
      slot.error = null;
      if (!made) return;
      const compileMs = Math.round(performance.now() - started);
      const before = slot.current;
      slot.current = { ...made, compiledAt: new Date(), compileMs };
      if (before) this.#retire(before);
      this.#logger.info({ profile: profile.id, version: made.version, compileMs }, 'model in force');
    } catch (thrown) {
      const error = toHubError(thrown);
      slot.error = error.code === 'PLANNER_ENDED' ? error : invalid(error.message, thrown);
      this.#logger.error({ profile: profile.id, error: slot.error.message }, 'model does not compile');
    }
  }

  /** What runs under the old model ends within its time limit; then it is let go, unless it has come back. */
  #retire(model: Pick<Model, 'key'>): void {
    setTimeout(() => {
      if ([...this.#slots.entries()].some(([, { current }]) => current?.key === model.key)) return;
      this.#planner.call('forget', model.key).catch(() => {}); // it went with the thread
    }, RETIRE_MS).unref();
  }
}

const RETIRE_MS = 120_000;

function matterOf(source: readonly ModelFile[] | ModelInput, { id, tables }: AccessProfile): ModelMatter {
  if (!('curated' in source)) return { files: source };
  const { curated, entities, appsSource } = source;
  const input = {
    tables: source.tables,
    entities,
    curated,
    ...(appsSource === undefined ? {} : { appsSource }),
  };
  return { input, profile: { id, tables } };
}

const invalid = (reason: string, cause?: unknown): HubError =>
  new HubError(
    'SEMANTIC_MODEL_INVALID',
    `The model of the semantic layer does not compile: ${reason.slice(0, 4000)}`,
    {
      next: 'Run `bac model check`; mend the file it names.',
      disposition: 'user',
      cause,
    },
  );
