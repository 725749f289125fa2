import type { Pool } from 'pg';
import { type App, createWarehouseAccess, describeEntities, type WarehouseAccess } from '#apps';
import {
  type AccessProfile,
  type ChangeLog,
  type Config,
  everythingProfile,
  type Logger,
  type Registry,
  systemPrincipal,
  toHubError,
  type Warehouse,
} from '#kernel';
import {
  buildModel,
  type CheckReport,
  type CubeLayer,
  type CubeStatus,
  createCubeLayer,
  createQueryLimits,
  declaredRollups,
  type ModelInput,
  Rollups,
} from '#semantic';
import { OPERATIONAL_SOURCE } from '../apps/index.ts';
import { type Advice, adviseRollups } from './advise.ts';
import { checkHubModel } from './check.ts';
import { openClock } from './clock.ts';
import { type CuratedFiles, type FolderStatus, openCuratedModel } from './curated.ts';
import { openQuestionLog } from './questions.ts';
import { rollupRight } from './rollups.ts';
import { readTables } from './tables.ts';

export interface SemanticOptions {
  readonly pool: Pool;
  readonly registry: Registry;
  readonly log: ChangeLog;
  readonly warehouse: Warehouse;
  readonly logger: Logger;
  /** Definitions in force. */
  readonly apps: () => readonly App[];
  readonly limits: Config['semantic'];
  /** Of this process, kept from one to the next. */
  readonly cacheDir?: string;
}

/** What the models are made of, read anew when it is out of date. */
interface World {
  readonly input: ModelInput;
  readonly access: WarehouseAccess;
  readonly everything: AccessProfile;
  /** Found out when somebody asks: it takes a model of somebody who sees everything. */
  declared: ReturnType<typeof declaredRollups> | null;
}

/** The semantic layer of this hub: tables and apps in, models made and kept true, questions answered. */
export interface HubSemantic extends CubeLayer {
  readonly rollups: Rollups;
  /** Roll-ups that would have answered what was asked in the last days. */
  advise(): Promise<Advice>;
  /**
   * From now on, as soon as every table streams, the model that sees everything is compiled, so that the first
   * question does not wait for it; unless `warm` is off, or somebody has asked before.
   */
  warmUp(): void;
  /** Everything is read anew, and every model in use follows. */
  reload(): Promise<void>;
  /**
   * Checks the model over the tables of this hub: the company's folder as it is now, or these files in its place; see
   * `checkHubModel`.
   */
  check(instead?: CuratedFiles): Promise<CheckReport>;
  status(): CubeStatus & { readonly folder: FolderStatus | null };
}

/** Opens the semantic layer. Nothing is read, and nothing of Cube loaded, before the first question. */
export async function openSemantic(options: SemanticOptions): Promise<HubSemantic> {
  const { logger } = options;
  let world: Promise<World> | null = null;
  let following: Promise<void> | null = null;
  let again = false;

  const read = async (first: boolean): Promise<World> => {
    const tables = await readTables(options);
    const apps = options.apps();
    const base = { tables, entities: describeEntities(apps), appsSource: OPERATIONAL_SOURCE };
    const files = await curated.inForce(base, first);
    clock.use(tables);
    return {
      input: { ...base, curated: files },
      access: createWarehouseAccess({ apps, source: OPERATIONAL_SOURCE, tables }),
      everything: everythingProfile(tables),
      declared: null,
    };
  };
  const current = (): Promise<World> => {
    world ??= read(true).catch((thrown) => {
      world = null;
      throw thrown;
    });
    return world;
  };

  /** After a change: the next world beside the one in use, then the models. Nothing is read while nobody asks. */
  const follow = (): Promise<void> => {
    again = true;
    following ??= (async () => {
      while (again) {
        again = false;
        if (world === null) continue;
        try {
          const next = await read(false);
          world = Promise.resolve(next);
          await layer.refresh();
          rollups.reshaped();
        } catch (thrown) {
          logger.warn({ err: toHubError(thrown) }, 'models could not follow a change');
        }
      }
    })().finally(() => {
      following = null;
    });
    return following;
  };

  let warming: Promise<void> | null = null;
  let wanted = false;
  const warmUp = (): void => {
    if (!wanted || world !== null) return;
    warming ??= (async () => {
      const tables = await options.registry.tables();
      const settled = tables.every(({ state }) => state !== 'pending' && state !== 'snapshotting');
      if (!wanted || !settled || tables.length === 0) return;
      await layer.warm(systemPrincipal('warm'));
    })()
      .catch((thrown: unknown) => logger.warn({ err: toHubError(thrown) }, 'no model was made ready'))
      .finally(() => {
        warming = null;
      });
  };

  const told = new WeakSet<AccessProfile>();
  const tellUnreadable = (access: WarehouseAccess, profile: AccessProfile): void => {
    if (told.has(profile)) return;
    told.add(profile);
    for (const { entity, reason } of access.unreadable(profile))
      logger.warn({ entity, profile: profile.id }, `not in the semantic layer for some roles: ${reason}`);
  };

  const curated = await openCuratedModel({
    pool: options.pool,
    folder: options.limits.modelDir,
    logger,
    compiles: (profile, source) => layer.compiles(profile, source),
    // Whoever edits a model wants to know, whether or not somebody has asked yet.
    onChange: () => void (world === null ? current().catch(() => {}) : follow()),
  });
  const clock = await openClock({
    ...options,
    onReshaped: () => void follow(),
    onStored: (topics) => rollups.stored(topics),
    onMessage: warmUp,
  });
  const right = rollupRight(options);
  const questions = openQuestionLog(options);
  const rollups = new Rollups({
    warehouse: options.warehouse,
    logger,
    right: right.take,
    tables: async () => (await current()).input.tables,
    everything: async () => (await current()).everything,
    declared: async () => {
      const known = await current();
      known.declared ??= declaredRollups(buildModel(known.input, known.everything).model, (query) =>
        layer.rollupsFor(known.everything, query),
      ).catch((thrown) => {
        known.declared = null;
        throw thrown;
      });
      return known.declared;
    },
    stamp: (tables) => clock.stamp(tables),
  });
  const layer: CubeLayer = createCubeLayer({
    warehouse: options.warehouse,
    clock,
    logger,
    rollups,
    questions,
    profileOf: async (principal) => {
      const { access } = await current();
      const profile = access.profileOf(principal);
      tellUnreadable(access, profile);
      return profile;
    },
    admit: createQueryLimits({ warehouse: options.warehouse, limits: options.limits, logger }),
    maxSeconds: options.limits.maxSeconds,
    ...(options.cacheDir === undefined ? {} : { cacheDir: options.cacheDir }),
    models: async () => (await current()).input,
  });
  return {
    ...layer,
    rollups,
    async advise() {
      await questions.flush();
      const { input, everything } = await current();
      return adviseRollups({ ...options, layer, model: buildModel(input, everything).model });
    },
    warmUp() {
      wanted = options.limits.warm;
      warmUp();
    },
    reload: follow,
    status: () => ({ ...layer.status(), folder: curated.status() }),
    async check(instead) {
      const { files, ...more } = await curated.newest(instead);
      const input = { ...(await current()).input, curated: files };
      return checkHubModel({ warehouse: options.warehouse, logger, input, ...more });
    },
    async close() {
      await curated.close();
      await clock.close();
      again = false;
      wanted = false;
      await following;
      await rollups.close();
      await questions.flush();
      await right.release();
      await layer.close();
      await warming;
    },
  };
}
