import type { TableId, TableSchema } from '../tables.ts';

/**
 * Registry of captured tables and their schema versions, in `bac.tables` and `bac.table_versions`.
 * Capture writes it, sinks and surfaces read it. Implementation: kernel/state/registry.ts.
 */
export type TableState =
  /** Seen, snapshot not begun. */
  | 'pending'
  | 'snapshotting'
  /** Snapshot complete, changes flow. */
  | 'streaming'
  /** This table stopped with `error`; the others go on. */
  | 'failed'
  /** Not captured and why is in `error` (no key, no right). */
  | 'unsupported'
  /** Dropped at the source; the warehouse keeps its last rows. */
  | 'dropped';

export interface TableEntry extends TableId {
  readonly topic: string;
  readonly state: TableState;
  /** Generation being built or live. */
  readonly generation: number;
  /** Newest schema version. */
  readonly version: number;
  /** Rows the snapshot has laid down, and the planner's estimate of the total. */
  readonly snapshotRows: number;
  readonly estimatedRows: number;
  readonly error: { readonly code: string; readonly message: string; readonly next?: string } | null;
}

export interface Registry {
  tables(source?: string): Promise<TableEntry[]>;
  table(id: TableId): Promise<TableEntry | null>;
  upsertTable(entry: TableEntry): Promise<void>;
  /** Partial update; resolves false if the table is not registered. */
  updateTable(id: TableId, change: Partial<Omit<TableEntry, keyof TableId | 'topic'>>): Promise<boolean>;
  removeTable(id: TableId): Promise<void>;
  /** Stores a new version; the caller numbers it (last + 1). Storing the same version twice is a no-op. */
  addVersion(schema: TableSchema): Promise<void>;
  version(id: TableId, version: number): Promise<TableSchema | null>;
  latest(id: TableId): Promise<TableSchema | null>;
}
