export { createSnapshotTarget, type SnapshotTargetOptions } from './target.ts';
