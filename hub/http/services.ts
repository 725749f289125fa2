/** A source to be captured, as the operator names it. */
interface NewSource {
  readonly name: string;
  readonly url: string;
  readonly kind: 'postgres' | 'yugabytedb';
  /** `table` or `schema.table`; absent = every table of the database. */
  readonly tables?: readonly string[];
  /** What reads its changes; default: the hub itself. */
  readonly engine?: 'native' | 'debezium';
  /** For engine debezium. */
  readonly debezium?: {
    readonly snapshot?: 'hub' | 'debezium';
    readonly connector?: Readonly<Record<string, unknown>>;
  };
}

interface VerifyRequest {
  readonly source?: string;
  readonly table?: string;
  readonly repair: boolean;
}

/** What verification reports; the counts decide the exit code, the rest is shown as it is. */
interface VerifyReport {
  readonly ok: boolean;
  readonly [detail: string]: unknown;
}

/** Dead letters picked by id or by place; an empty choice means all open ones. */
interface DeadLetterChoice {
  readonly ids?: readonly string[];
  readonly source?: string;
  readonly schema?: string;
  readonly table?: string;
}

interface AppFile {
  /** As errors name it. */
  readonly file: string;
  readonly content: string;
}

interface AppChange {
  /** Who asks for it. */
  readonly by: string;
  readonly confirmDestructive: boolean;
  /** Id of the plan that was shown. */
  readonly plan?: string | undefined;
  readonly onProgress: (progress: Readonly<Record<string, unknown>>) => void;
}

/** What the surfaces let people do. The composition root fills it from cdc/ and clickhouse/. */
export interface HubServices {
  readonly sources: {
    /** Checks the connection and its rights first; a HubError (user) says what is wrong. */
    add(source: NewSource): Promise<void>;
    pause(name: string): Promise<void>;
    resume(name: string): Promise<void>;
    /** Drops slot and publication; warehouse tables are kept unless `dropTables`. */
    remove(name: string, options: { readonly dropTables: boolean }): Promise<void>;
    /** `tables` as `schema.table`; absent = all. */
    resnapshot(name: string, tables?: readonly string[]): Promise<void>;
    /** How often its tables are compared with it by themselves; null = as configured. */
    schedule(name: string, verify: { everyHours?: number; repair?: boolean } | null): Promise<void>;
  };
  /** Definitions of apps; see the registry in operational-apps/. */
  readonly apps: {
    list(): Promise<readonly object[]>;
    show(name: string): Promise<object>;
    plan(files: readonly AppFile[]): Promise<object>;
    apply(files: readonly AppFile[], change: AppChange): Promise<object>;
    planRollback(name: string): Promise<object>;
    rollback(name: string, change: AppChange): Promise<object>;
  };
  readonly verify: (
    request: VerifyRequest,
    onProgress: (progress: Readonly<Record<string, unknown>>) => void,
    signal: AbortSignal,
  ) => Promise<VerifyReport>;
  readonly deadLetters: {
    /** Sends them through the log again and resolves to how many; what fails again is kept anew. */
    replay(choice: DeadLetterChoice): Promise<number>;
    discard(choice: DeadLetterChoice): Promise<number>;
  };
}
