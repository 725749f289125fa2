import { everythingProfile, type Logger, type ModelFile, systemPrincipal, type Warehouse } from '#kernel';
import {
  Bell,
  type CheckReport,
  checkModel,
  createCubeLayer,
  declaredRollups,
  type ModelInput,
} from '#semantic';

export interface HubCheckOptions {
  readonly warehouse: Warehouse;
  readonly logger: Logger;
  /** Tables and entities in force, and the files to be looked at. */
  readonly input: ModelInput;
  readonly tests: readonly ModelFile[];
  /** Names of files that come with the product. */
  readonly product: ReadonlySet<string>;
}

/**
 * Checks the model over the tables of this hub: it is compiled beside the one that serves, and metric tests are run
 * against the warehouse, uncached, as somebody who sees everything.
 */
export async function checkHubModel(options: HubCheckOptions): Promise<CheckReport> {
  const { warehouse, logger, tests, product, input: model } = options;
  const everything = everythingProfile(model.tables);
  let stamp = 0;
  const layer = createCubeLayer({
    warehouse,
    logger,
    clock: {
      tablesIn: () => model.tables.map(({ database, table }) => `${database}.${table}`),
      stamp: () => ++stamp,
      freshness: () => ({ completeUpTo: null }),
      current: () => Promise.resolve(),
      moved: (signal) => new Bell().next(signal),
    },
    profileOf: () => Promise.resolve(everything),
    models: () => Promise.resolve(model),
  });
  const checker = systemPrincipal('model check');
  try {
    return await checkModel({
      model,
      tests,
      product,
      compile: async () => {
        await layer.meta(checker);
      },
      rollupsOf: (built) => declaredRollups(built, (query) => layer.rollupsFor(everything, query)),
      load: (query) => layer.load(checker, query),
    });
  } finally {
    await layer.close();
  }
}
