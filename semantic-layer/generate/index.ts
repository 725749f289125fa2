export { type BuiltModel, buildModel, generateModel, type ModelInput } from './generate.ts';
export type { Loss } from './prune.ts';
export type { Cube, Join, Member, Model, View } from './types.ts';
