export type SourceKind = 'postgres' | 'yugabytedb';

/**
 * What a kind of source can do. Everything that differs between PostgreSQL and YugabyteDB is decided
 * here and nowhere else; what differs between server versions is asked of the server.
 */
export interface SourceProfile {
  readonly kind: SourceKind;
  /** `pg_export_snapshot()` lets several sessions read one moment. */
  readonly exportSnapshot: boolean;
  /** SQL giving `lsn` (text): the write position now, above every visible change; null = there is none to ask for. */
  readonly currentPosition: string | null;
  /**
   * SQL giving `lsn` (text): up to where the log is on disk. Positions that are kept and compared with
   * later changes must be of this kind: what a crash of the server takes away beyond it is written
   * again by other changes under the same numbers.
   */
  readonly durablePosition: string | null;
  /**
   * Waiting for the transactions in flight: `mark` gives `mark` (text); `passed` with that as $1 gives
   * `passed` (boolean): all transactions that were running at the mark have ended. null = cannot be asked.
   */
  readonly inFlight: { readonly mark: string; readonly passed: string } | null;
  /** TRUNCATE arrives in the stream. Without it only verification finds out. */
  readonly truncateEvents: boolean;
  /** An unchanged out-of-line value is left out of an UPDATE. */
  readonly unchangedToast: boolean;
  /** Rows have a physical address by which ranges can be read (PostgreSQL 14 and later). */
  readonly tidRanges: boolean;
  /** Rows carry `xmin`, the transaction that wrote them. */
  readonly rowTransactions: boolean;
  /** Function of the hash-sharded key columns giving 0..65535, by which ranges can be read. */
  readonly hashFunction: string | null;
  /** `publish_via_partition_root` is known (from PostgreSQL 13). */
  readonly partitionRoot: boolean;
  /** Replica identity is frozen when the slot is made and new tables default to one that pgoutput refuses. */
  readonly frozenIdentity: boolean;
  /** LSNs are byte offsets in the WAL, so that lag in bytes exists. */
  readonly byteLsn: boolean;
  /** Words after the plugin in CREATE_REPLICATION_SLOT ... LOGICAL pgoutput. */
  readonly slotOptions: string;
}

const POSTGRES: SourceProfile = {
  kind: 'postgres',
  exportSnapshot: true,
  currentPosition: 'SELECT pg_current_wal_insert_lsn()::text AS lsn',
  durablePosition: 'SELECT pg_current_wal_flush_lsn()::text AS lsn',
  inFlight: {
    mark: 'SELECT txid_snapshot_xmax(txid_current_snapshot())::text AS mark',
    passed: 'SELECT txid_snapshot_xmin(txid_current_snapshot()) >= $1::bigint AS passed',
  },
  truncateEvents: true,
  unchangedToast: true,
  tidRanges: true,
  rowTransactions: true,
  hashFunction: null,
  partitionRoot: true,
  frozenIdentity: false,
  byteLsn: true,
  slotOptions: 'NOEXPORT_SNAPSHOT',
};

const YUGABYTEDB: SourceProfile = {
  kind: 'yugabytedb',
  exportSnapshot: false,
  currentPosition: null,
  durablePosition: null,
  inFlight: null,
  truncateEvents: false,
  unchangedToast: false,
  tidRanges: false,
  rowTransactions: false,
  hashFunction: 'yb_hash_code',
  partitionRoot: false,
  frozenIdentity: true,
  byteLsn: false,
  slotOptions: 'NOEXPORT_SNAPSHOT',
};

export const profileOf = (kind: SourceKind): SourceProfile => (kind === 'postgres' ? POSTGRES : YUGABYTEDB);

/** Session settings under which source text has the form kernel/interchange.ts asks for. */
export const SESSION_SETTINGS: readonly string[] = [
  "SET datestyle = 'ISO, MDY'",
  "SET timezone = 'UTC'",
  "SET intervalstyle = 'postgres'",
  'SET extra_float_digits = 3',
  "SET bytea_output = 'hex'",
  'SET row_security = off',
  'SET search_path = pg_catalog',
];

/** The same as one query string, optionally for the current transaction only. */
export const sessionSql = (local = false): string =>
  SESSION_SETTINGS.map((setting) => (local ? setting.replace('SET ', 'SET LOCAL ') : setting)).join(';');
