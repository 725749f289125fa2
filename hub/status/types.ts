/**
 * The status document: one shape behind `bac status`, `/api/v1/status`, the Streams page and
 * `/metrics`. Plain JSON: times are ISO strings or milliseconds, sizes bytes, rates per second.
 * `null` means "not known", never zero.
 */
export interface Status {
  readonly at: string;
  readonly hub: HubStatus;
  readonly addresses: Readonly<Record<string, string>>;
  readonly totals: Totals;
  readonly sources: readonly SourceStatus[];
  readonly apps: readonly AppStatus[];
  /** Of the process that keeps them. */
  readonly rollups: readonly RollupLine[];
  /** The semantic model, as the api processes have it; the same of several is told once. */
  readonly model: ModelLine[];
  readonly roles: readonly RoleStatus[];
  readonly log: {
    readonly kind: 'embedded' | 'kafka';
    readonly topics: number | null;
    readonly bytes: number | null;
    readonly error: Problem | null;
  };
  readonly warehouse: {
    readonly version: string | null;
    readonly bytes: number | null;
    readonly error: Problem | null;
  };
  /** Newest last: what changed while this hub was watching. */
  readonly events: readonly StatusEvent[];
}

export interface RollupLine {
  readonly name: string;
  /** building | refreshing | ready | refused | failed */
  readonly state: string;
  readonly error: string | null;
  readonly lastMs: number | null;
}

/** The company's folder of model files, or a model that is behind it. */
export interface ModelLine {
  /** The folder; null: a compiled model. */
  readonly folder: string | null;
  /** in force | refused | unread: of the folder; failed: what is served is older, or nothing is. */
  readonly state: string;
  readonly files: number | null;
  /** Since when what is in force of the folder is. */
  readonly since: string | null;
  /** With file and line, and the next step. */
  readonly problems: readonly { readonly message: string; readonly next: string }[];
}

interface HubStatus {
  readonly version: string;
  readonly startedAt: string;
  readonly uptimeMs: number;
  readonly pid: number;
}

export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly next?: string;
}

export type LagAlarm = 'ok' | 'warn' | 'alarm' | 'unknown';

/** Headline figures over all sources. */
export interface Totals {
  readonly sources: number;
  readonly tables: number;
  readonly tablesFailed: number;
  readonly rows: number | null;
  /** Events the sink has applied, plus snapshot rows laid down, per second over the last seconds. */
  readonly rowsPerSecond: number | null;
  /** Median and worst freshness of the streaming tables. */
  readonly freshnessP50Ms: number | null;
  readonly freshnessMaxMs: number | null;
  readonly lagEvents: number | null;
  readonly deadLetters: number;
}

export interface SourceStatus {
  readonly name: string;
  readonly kind: string;
  /** What reads its changes: native or debezium. */
  readonly engine: string;
  /** Connection string without its password. */
  readonly url: string;
  readonly desired: string;
  readonly state: string;
  readonly error: Problem | null;
  readonly slot: string | null;
  /** How far the slot is behind the source, in bytes of WAL. */
  readonly lagBytes: number | null;
  readonly lagAlarm: LagAlarm;
  readonly confirmedLsn: string | null;
  readonly committedAt: string | null;
  /** The stalest of its streaming tables. */
  readonly freshnessMs: number | null;
  readonly rowsPerSecond: number | null;
  readonly deadLetters: number;
  readonly tables: readonly TableStatus[];
}

export interface TableStatus {
  readonly schema: string;
  readonly table: string;
  readonly warehouseTable: string;
  readonly state: string;
  readonly error: Problem | null;
  readonly rows: number | null;
  /**
   * `exact`: counted with FINAL moments ago; `approximate`: stored rows, superseded and deleted
   * versions included.
   */
  readonly rowsKind: 'exact' | 'approximate' | 'unknown';
  readonly bytes: number | null;
  /** 0..1 while the snapshot runs, else null. */
  readonly snapshotProgress: number | null;
  readonly snapshotRows: number;
  readonly estimatedRows: number;
  /** Age of the source commit up to which the warehouse is complete. */
  readonly freshnessMs: number | null;
  /** Events in the log that the sink has not yet applied. */
  readonly lagEvents: number | null;
  readonly rowsPerSecond: number | null;
  readonly generation: number;
  readonly version: number;
  readonly deadLetters: number;
  /** Last comparison with the source, by schedule or by `bac verify`; null = never. */
  readonly verification: Verification | null;
}

export interface Verification {
  /** When it began. */
  readonly at: string;
  /** When the last one began that was made to the end; null = none was. */
  readonly comparedAt: string | null;
  readonly state: 'ok' | 'different' | 'repaired' | 'skipped' | 'failed';
  readonly differences: number;
  readonly repaired: number;
  readonly reason: string | null;
}

/** An app: what is in force of it, and what became of the newest apply. */
export interface AppStatus {
  readonly name: string;
  readonly label: string;
  /** In force; null = none is. */
  readonly version: number | null;
  readonly entities: number;
  /** applied, applying, failed, or interrupted: the next apply goes on with it. */
  readonly state: string;
  readonly message: string | null;
  readonly appliedAt: string | null;
  readonly appliedBy: string;
}

export interface RoleStatus {
  readonly role: string;
  readonly instance: string;
  /** What the role says of itself; `silent` when it has not reported for a while. */
  readonly state: string;
  readonly ageMs: number;
  readonly pid: number | null;
  readonly rssBytes: number | null;
  /** 100 = one core. */
  readonly cpuPercent: number | null;
  readonly restarts: number | null;
}

export interface StatusEvent {
  readonly id: number;
  readonly at: string;
  readonly level: 'info' | 'good' | 'warn' | 'error';
  /** `source` or `source.schema.table`, or `role:name`. */
  readonly subject: string;
  readonly message: string;
}

/** One point of the headline sparklines. */
export interface StatusSample {
  readonly at: number;
  readonly rowsPerSecond: number | null;
  readonly freshnessP50Ms: number | null;
  readonly freshnessMaxMs: number | null;
  readonly lagEvents: number | null;
  readonly deadLetters: number;
}
