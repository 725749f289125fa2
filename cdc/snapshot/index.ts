export { numericRule, oddArraySql, oddSql } from './expressions.ts';
export { openSessions, type Sessions } from './sessions.ts';
export {
  createSnapshotter,
  type SnapshotProgress,
  type Snapshotter,
  type SnapshotterOptions,
} from './snapshotter.ts';
