export { type FieldSql, fieldSql, numericRule, snapshotFields } from './expressions.ts';
export {
  createSnapshotter,
  type SnapshotProgress,
  type Snapshotter,
  type SnapshotterOptions,
} from './snapshotter.ts';
