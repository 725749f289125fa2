import { everythingProfile, type Logger, type ModelFile, systemPrincipal, type Warehouse } from '#kernel';
import { type CheckReport, checkModel, createCubeLayer, declaredRollups, type ModelInput } from '#semantic';

export interface HubCheckOptions {
  readonly warehouse: Warehouse;
  readonly logger: Logger;
  /** Tables, entities and curated files in force. */
  readonly input: ModelInput;
  readonly tests: readonly ModelFile[];
  /** Files to be looked at beside those in force; one of the same name takes its place. */
  readonly files?: readonly ModelFile[];
}

/**
 * Checks the model over the tables of this hub: it is compiled beside the one that serves, and metric tests are run
 * against the warehouse, uncached, as somebody who sees everything.
 */
export async function checkHubModel(options: HubCheckOptions): Promise<CheckReport> {
  const { warehouse, logger, tests, files = [] } = options;
  const names = new Set(files.map(({ fileName }) => fileName));
  const curated = [...options.input.curated.filter(({ fileName }) => !names.has(fileName)), ...files];
  const model = { ...options.input, curated };
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
    },
    profileOf: () => Promise.resolve(everything),
    models: () => Promise.resolve(model),
  });
  const checker = systemPrincipal('model check');
  try {
    return await checkModel({
      model,
      tests,
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
