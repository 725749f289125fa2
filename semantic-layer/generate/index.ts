export { averageOf } from './averages.ts';
export { type BuiltModel, buildModel, generateModel, type ModelInput } from './generate.ts';
export { governed } from './governed.ts';
export type { Loss } from './prune.ts';
export type { Cube, Join, Member, Model, PreAggregation, View } from './types.ts';
