import type { Pool } from 'pg';
import type { ChangeLog, Config, Logger, Registry, SnapshotTarget } from '#kernel';
import type { SourceKind } from '../catalog/index.ts';
import type { DebeziumOptions } from '../debezium/options.ts';

export interface CaptureOptions {
  /** The hub's own state. */
  readonly pool: Pool;
  readonly log: ChangeLog;
  readonly registry: Registry;
  readonly target: SnapshotTarget;
  readonly logger: Logger;
  readonly config: Config['capture'];
  /** Partitions of a table's topic when it is created. */
  readonly partitions: number;
  /** Name of this capture process: its own leases are taken back at once after a restart, another's are respected. */
  readonly instance: string;
  /** Retention of the tables' topics. */
  readonly retentionMs?: number;
  readonly retentionBytes?: number;
  /** How often the source's catalog is looked through for new, changed and dropped tables. Default 5 s. */
  readonly rescanMs?: number;
  /** Kafka Connect, for sources that Debezium reads. */
  readonly connect?: Config['connect'];
  /** Life of a lease without renewal. Default 6 s. */
  readonly leaseMs?: number;
}

/** One row of `bac.sources`, checked. */
export interface SourceRow {
  readonly name: string;
  readonly kind: SourceKind;
  readonly url: string;
  readonly options: SourceOptions;
  readonly desired: 'running' | 'paused' | 'removing';
  readonly slot: string | null;
}

/** What reads a source's changes: the hub itself, or Debezium in Kafka Connect. */
export type EngineName = 'native' | 'debezium';

export interface SourceOptions {
  /** Default: native. */
  readonly engine?: EngineName | undefined;
  readonly debezium?: DebeziumOptions | undefined;
  /** `schema.table` or `schema.*`; absent = all tables. */
  readonly tables?: readonly string[] | undefined;
  /** Asks for a new snapshot: `schema.table`, or `*` for all. Taken out when it has begun. */
  readonly resnapshot?: readonly string[] | undefined;
  /** Removal leaves the warehouse tables where they are. */
  readonly keepTables?: boolean | undefined;
  /** How often tables are compared with the source by themselves; what is absent is the configuration's. */
  readonly verify?: VerifyOption | undefined;
}

export interface VerifyOption {
  /** 0 = never. */
  readonly everyHours?: number | undefined;
  readonly repair?: boolean | undefined;
}

export type SourceState = 'connecting' | 'snapshotting' | 'streaming' | 'paused' | 'failed' | 'standby';

export interface SourceStats {
  readonly state: SourceState;
  readonly error: { readonly code: string; readonly message: string; readonly next?: string } | null;
  /** Change events appended since this process began to read the source. */
  readonly rows: number;
  readonly transactions: number;
  /** Bytes of events appended. */
  readonly bytes: number;
  readonly rowsPerSecond: number;
  readonly confirmedLsn: number;
  /** Source commit time up to which everything is in the log, microseconds since 1970; 0 = not yet known. */
  readonly committedAt: number;
  /** Slot lag at the source in bytes; null where positions are no byte offsets. */
  readonly lagBytes: number | null;
  readonly retainedBytes: number | null;
  readonly walStatus: string | null;
  /** From lagWarnBytes/lagAlarmBytes and the server's own word on the slot. */
  readonly alarm: 'none' | 'warn' | 'alarm';
}

export interface CaptureStats {
  readonly instance: string;
  readonly sources: Readonly<Record<string, SourceStats>>;
}

export interface Capture {
  /** Resolves when the control topic is watched and every source has been looked at once. */
  start(): Promise<void>;
  /** Ends all reading within a few seconds; what was not acknowledged is read again next time. */
  stop(): Promise<void>;
  stats(): CaptureStats;
}
