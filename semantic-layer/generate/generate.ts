import type { AccessProfile, EntityDescription, ModelFile, WarehouseTable } from '#kernel';
import { assemble } from './assemble.ts';
import { splitAverages } from './averages.ts';
import { APPS_SOURCE, baseCubes } from './base.ts';
import { parseCurated } from './curated.ts';
import { printModel } from './print.ts';
import { type Loss, prune } from './prune.ts';
import type { Model } from './types.ts';

export interface ModelInput {
  readonly tables: readonly WarehouseTable[];
  readonly entities: readonly EntityDescription[];
  /** YAML files of semantic-layer/model or of the company's own folder. */
  readonly curated: readonly ModelFile[];
  /** Source whose tables are the apps'; default `business`. */
  readonly appsSource?: string;
}

export interface BuiltModel {
  readonly model: Model;
  /** What the profile does not see, and what went with it. */
  readonly losses: readonly Loss[];
}

/**
 * The model of a profile before it is printed. Errors: MODEL_INVALID, MODEL_CLASH (user) for curated files that
 * cannot be read.
 */
export function buildModel(input: ModelInput, profile: AccessProfile): BuiltModel {
  const { tables, entities, curated, appsSource = APPS_SOURCE } = input;
  const base = baseCubes({ tables, entities, appsSource }, profile);
  const files = [...curated].sort((a, b) => (a.fileName < b.fileName ? -1 : 1)).map(parseCurated);
  const assembled = assemble(files, { base, tables, profile });
  const pruned = prune(assembled.model);
  return { model: splitAverages(pruned.model), losses: [...assembled.losses, ...pruned.losses] };
}

/**
 * Cube's model files for one access profile: a base cube per readable table, the curated cubes and views over them.
 * Pure: the same input gives the same bytes. Errors: as `buildModel`.
 */
export const generateModel = (input: ModelInput, profile: AccessProfile): ModelFile[] =>
  printModel(buildModel(input, profile).model);
