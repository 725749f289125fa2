export { type AppRegistry, type ChangeOptions, createAppRegistry, type RegistryOptions } from './registry.ts';
export { shippedFiles } from './shipped.ts';
export { starterApp } from './starter.ts';
export type {
  ApplyProgress,
  ApplyResult,
  AppVersion,
  ChangePlan,
  InForce,
  PlannedApp,
  TableEffect,
} from './types.ts';
export { type AppsWatch, watchApps } from './watch.ts';
