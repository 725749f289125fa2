export type {
  Problem,
  RoleStatus,
  SourceStatus,
  Status,
  StatusEvent,
  StatusSample,
  TableStatus,
} from '../../../../hub/status/types.ts';

/** Answer of `/api/v1/session`. */
export interface Session {
  readonly user: string;
  readonly tenant: string | null;
  readonly scopes: readonly string[];
  readonly via: 'local' | 'session' | 'key' | 'token';
  /** It is a user's own account, with sessions that can be ended. */
  readonly account: boolean;
}

/** Answer of `/api/v1/me/sessions`. */
export interface OwnAccount {
  readonly sessions: readonly {
    readonly id: string;
    readonly address: string;
    readonly agent: string;
    readonly seenAt: string;
    readonly current: boolean;
  }[];
  readonly hasPassword: boolean;
  readonly totp: boolean;
}

/** Answer of `/api/v1/tables/:source/:schema/:table`. */
export interface TableDetail {
  readonly key: readonly string[];
  readonly keyRule: string;
  readonly columns: readonly {
    readonly name: string;
    readonly type: string;
    readonly nullable: boolean;
    readonly comment: string | null;
  }[];
  readonly versions: readonly {
    readonly version: number;
    readonly at: string;
    readonly changes: readonly string[];
  }[];
  readonly sql: { readonly sample: string; readonly count: string; readonly recent: string };
}

export interface DeadLetter {
  readonly id: string;
  readonly offset: string;
  readonly partition: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly code: string;
  readonly error: string;
  readonly state: string;
  readonly createdAt: string;
}

export interface DeadLetterPage {
  readonly deadLetters: readonly DeadLetter[];
  readonly next: string | null;
}
