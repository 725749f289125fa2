export * from './change-log.ts';
export type * from './operational-store.ts';
export type * from './registry.ts';
export type * from './semantic.ts';
export type * from './snapshot-target.ts';
export type * from './warehouse.ts';
