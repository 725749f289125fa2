import type { Pool } from 'pg';

/** PostgreSQL or YugabyteDB, reached with `pg`; holds the hub's own state in schema `bac`. */
export interface OperationalStore {
  /** Small pool for the hub's state. Statements stay inside what YugabyteDB's YSQL supports. */
  readonly pool: Pool;
  /** Connection string of the database, secret included: never log it. */
  readonly url: string;
  close(): Promise<void>;
}
