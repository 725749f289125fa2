export { createSnapshotTarget, LOAD_SETTINGS, loadStatement, type SnapshotTargetOptions } from './target.ts';
