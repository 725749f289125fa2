export * from './capture/index.ts';
export {
  type Alignment,
  alignRelation,
  type CatalogTable,
  connectionError,
  introspectTables,
  preflight,
  profileOf,
  SESSION_SETTINGS,
  type SourceKind,
  type SourceProfile,
} from './catalog/index.ts';
export { Decoder, formatLsn, parseLsn, type Relation } from './pgoutput/index.ts';
export { openReplication, type ReplicationStream } from './replication/index.ts';
export {
  dropPublication,
  dropSlot,
  ensurePublication,
  ensureSlot,
  type Publication,
  publicationsOf,
  type SlotStatus,
  slotNameOf,
  slotStatus,
} from './slots/index.ts';
export {
  createSnapshotter,
  type SnapshotProgress,
  type Snapshotter,
  type SnapshotterOptions,
} from './snapshot/index.ts';
export {
  type ColumnDifference,
  createVerifySchedule,
  type Difference,
  type TableReport,
  type VerifyOptions,
  type VerifyReport,
  type VerifySchedule,
  verifyTables,
} from './verify/index.ts';
