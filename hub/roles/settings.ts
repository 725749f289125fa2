import type { Config } from '#kernel';

export type RoleName = 'capture' | 'sink' | 'api' | 'worker';

/** Everything a role needs to know; plain data, because it travels to the role's process. */
export interface RoleSettings {
  readonly version: string;
  readonly config: Config;
  /** Operational store: state of the hub and, embedded, the apps' tables. */
  readonly postgresUrl: string;
  readonly clickhouse: {
    /** Several hosts separated by commas. */
    readonly url: string;
    readonly user: string;
    readonly password: string;
    readonly cluster?: Config['clickhouse']['cluster'];
  };
  readonly logDir: string;
  /** What the log is told apart by from any other; see `log-lease.ts`. */
  readonly logIdentity: string;
  readonly stateRoot: string;
  /** Signs browser sessions, the same in every replica of the api; null: each process makes its own. */
  readonly sessionSecret: string | null;
  /** Seal secrets in the database, the same in every replica: the one in force, then older ones. */
  readonly sealSecrets: readonly string[];
  /** Tells instances of one role apart, over all machines. */
  readonly instance: string;
  /** Whether the worker keeps the demo business alive. */
  readonly demo: boolean;
}
