import { createHash } from 'node:crypto';
import { type AccessProfile, HubError, type Logger, type ModelFile, toHubError } from '#kernel';
import type { CompilerApi, Core, CubeContext } from './library.ts';

/** Where models come from: pure, so that the same tables and profile give the same files. */
export type ModelSource = (profile: AccessProfile) => Promise<readonly ModelFile[]>;

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

interface Model {
  readonly key: string;
  readonly version: string;
  readonly files: readonly ModelFile[];
  readonly compiledAt: Date;
  readonly compileMs: number;
}

interface Slot {
  profile: AccessProfile;
  current: Model | null;
  /** The newest compile, under way or over; settles always. */
  work: Promise<void>;
  compiling: boolean;
  again: boolean;
  error: HubError | null;
}

/** Models kept compiled at once; the least recently asked for goes first. */
const MOST_PROFILES = 24;

/**
 * One compiled model per access profile. When tables or definitions change, each is made anew beside the one that
 * serves, which goes on until the new one is ready; one that does not compile changes nothing but the status.
 */
export class Models {
  readonly #core: Core;
  readonly #source: ModelSource;
  readonly #logger: Logger;
  readonly #files: Map<string, readonly ModelFile[]>;
  readonly #slots = new Map<string, Slot>();
  #queue: Promise<void> = Promise.resolve();

  /** `files` is what Cube's repository reads: model key -> files. */
  constructor(core: Core, source: ModelSource, logger: Logger, files: Map<string, readonly ModelFile[]>) {
    this.#core = core;
    this.#source = source;
    this.#logger = logger;
    this.#files = files;
  }

  /** The model that serves this profile; waits for the first. Errors: SEMANTIC_MODEL_INVALID. */
  async of(profile: AccessProfile): Promise<{ readonly key: string; readonly version: string }> {
    const slot = this.#slots.get(profile.id) ?? this.#open(profile);
    this.#slots.delete(profile.id);
    this.#slots.set(profile.id, slot);
    if (slot.profile !== profile) {
      // The same rights over other tables: their columns are in the profile.
      slot.profile = profile;
      void this.#compile(slot);
    }
    if (!slot.current) await slot.work;
    if (slot.current) return slot.current;
    throw slot.error ?? invalid('no model');
  }

  /** Tables, definitions or curated files have changed: resolves once every model that is in use follows. */
  async refresh(): Promise<void> {
    await Promise.all([...this.#slots.values()].map((slot) => this.#compile(slot)));
  }

  status(): ModelStatus[] {
    return [...this.#slots.values()].map(({ profile, current, compiling, error }) => ({
      profile: profile.id,
      version: current?.version ?? null,
      state: compiling ? 'compiling' : error ? 'failed' : 'ready',
      error: error?.message ?? null,
      compiledAt: current?.compiledAt.toISOString() ?? null,
      compileMs: current?.compileMs ?? null,
    }));
  }

  #open(profile: AccessProfile): Slot {
    const slot: Slot = {
      profile,
      current: null,
      work: Promise.resolve(),
      compiling: false,
      again: false,
      error: null,
    };
    this.#slots.set(profile.id, slot);
    for (const [id, oldest] of this.#slots) {
      if (this.#slots.size <= MOST_PROFILES) break;
      this.#slots.delete(id);
      if (oldest.current) this.#retire(oldest.current);
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
    let key: string | null = null;
    try {
      const files = await this.#source(profile);
      const version = hashOf(files);
      if (slot.current?.version === version) {
        slot.error = null;
        return;
      }
      key = `${profile.id} ${version}`;
      this.#files.set(key, files);
      const context: CubeContext = { securityContext: { model: key }, requestId: `compile ${version}` };
      const api: CompilerApi = await this.#core.getCompilerApi(context);
      await api.getCompilers();
      const compileMs = Math.round(performance.now() - started);
      const before = slot.current;
      slot.current = { key, version, files, compiledAt: new Date(), compileMs };
      slot.error = null;
      if (before) this.#retire(before);
      this.#logger.info({ profile: profile.id, version, compileMs }, 'model in force');
    } catch (thrown) {
      if (key) this.#forget(key);
      slot.error = invalid(toHubError(thrown).message, thrown);
      this.#logger.error({ profile: profile.id, error: slot.error.message }, 'model does not compile');
    }
  }

  /** What runs under the old model ends within its time limit; then it is let go. */
  #retire(model: Model): void {
    setTimeout(() => this.#forget(model.key), RETIRE_MS).unref();
  }

  #forget(key: string): void {
    this.#files.delete(key);
    this.#core.compilerCache.delete(key);
  }
}

const RETIRE_MS = 120_000;

const hashOf = (files: readonly ModelFile[]): string => {
  const hash = createHash('sha256');
  for (const { fileName, content } of files) hash.update(`${fileName}\0${content}\0`);
  return hash.digest('hex').slice(0, 16);
};

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
