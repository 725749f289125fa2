import { pgLiteral } from '#kernel';

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
   * SQL that commits a transaction whose only content is a message for logical decoding, giving `lsn` (text)
   * of the message; null = there is none. Waits for no standby.
   */
  readonly nudge: string | null;
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
  /**
   * LSNs are byte offsets in the WAL: lag in bytes exists, and the server's word on what it keeps
   * (`wal_status`) means something. Otherwise they are numbers within one slot.
   */
  readonly byteLsn: boolean;
  /** Output plugin of the slot; both speak pgoutput's protocol. */
  readonly plugin: 'pgoutput' | 'yboutput';
  /** A publication FOR ALL TABLES beside the list tells of new tables. */
  readonly arrivals: boolean;
  /**
   * Changes of a publication reach the stream only after this many ms, and events in between are lost
   * (YugabyteDB before 2026.1); 0 = at once.
   */
  readonly publicationDelayMs: number;
  /** SQL giving `off` (boolean): this server has no such delay. null = do not ask. */
  readonly publicationDelayOff: string | null;
  /** Time the server keeps changes for a slot that does not move on, ms; null = no limit by time. */
  readonly retentionMs: number | null;
  /** The slot counts as being read for minutes after its reader has gone, and cannot be dropped before. */
  readonly slotLingers: boolean;
  /**
   * Where a slot's position may lie in the future of a session's clock: a row read before it could miss a
   * change that the stream does not have either. `at` gives, for slot $1, `position` and `moment` (text; at
   * or after the position and now), `settable` (the user may choose the moment a transaction reads) and
   * `passed` (every clock is past position $2); `join` is the statement that takes a transaction to the moment.
   */
  readonly readTime: { readonly at: string; readonly join: (moment: string) => string } | null;
}

const POSTGRES: SourceProfile = {
  kind: 'postgres',
  exportSnapshot: true,
  currentPosition: 'SELECT pg_current_wal_insert_lsn()::text AS lsn',
  durablePosition: 'SELECT pg_current_wal_flush_lsn()::text AS lsn',
  nudge: `SELECT set_config('synchronous_commit', 'local', true), pg_logical_emit_message(true, 'bac', '')::text AS lsn`,
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
  byteLsn: true,
  plugin: 'pgoutput',
  arrivals: true,
  publicationDelayMs: 0,
  publicationDelayOff: null,
  retentionMs: null,
  slotLingers: false,
  readTime: null,
};

/**
 * From YugabyteDB's documentation and source tree; docs/yugabytedb.md says what only a cluster can show.
 * https://docs.yugabyte.com/stable/additional-features/change-data-capture/using-logical-replication/
 */
const YUGABYTEDB: SourceProfile = {
  kind: 'yugabytedb',
  exportSnapshot: false,
  currentPosition: null,
  durablePosition: null,
  nudge: null,
  inFlight: null,
  truncateEvents: false,
  // Not for their size: replica identity CHANGE leaves out every column that an UPDATE did not set.
  unchangedToast: true,
  tidRanges: false,
  rowTransactions: false,
  hashFunction: 'yb_hash_code',
  partitionRoot: false,
  byteLsn: false,
  // pgoutput refuses tables of the default identity, CHANGE, and one such table ends the whole stream.
  plugin: 'yboutput',
  arrivals: false,
  // cdcsdk_publication_list_refresh_interval_secs, 900 by default, and a minute for the poll itself.
  publicationDelayMs: 960_000,
  publicationDelayOff:
    "SELECT current_setting('yb_enable_implicit_dynamic_tables_logical_replication', true) = 'on' AS off",
  // cdc_intent_retention_ms: eight hours by default.
  retentionMs: 8 * 3_600_000,
  slotLingers: true,
  readTime: {
    // Hybrid time: microseconds since 1970 times 4096. Clocks of the nodes differ by half a second at most.
    at: `SELECT s.yb_restart_commit_ht::text AS position,
        GREATEST(now.ht, s.yb_restart_commit_ht)::text AS moment,
        (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS settable,
        now.ht - 4096 * 1000000::bigint > $2::bigint AS passed
      FROM pg_replication_slots s,
        (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 4096 AS ht) now
      WHERE s.slot_name = $1`,
    join: (moment) => `SET LOCAL yb_read_time TO ${pgLiteral(`${BigInt(moment)} ht`)}`,
  },
};

/**
 * What a kind of source can do. Two limits of a YugabyteDB cluster cannot be asked by SQL and are given
 * in the source's URL where the cluster's flags differ from the defaults:
 * `publication_refresh_s` and `retention_h`.
 */
export function profileOf(kind: SourceKind, url = ''): SourceProfile {
  if (kind === 'postgres') return POSTGRES;
  const given = (name: string): number | undefined => {
    const value = new RegExp(`[?&]${name}=(\\d+(?:\\.\\d+)?)(?:&|$)`).exec(url)?.[1];
    return value === undefined ? undefined : Number(value);
  };
  const refresh = given('publication_refresh_s');
  const retention = given('retention_h');
  return {
    ...YUGABYTEDB,
    ...(refresh === undefined ? {} : { publicationDelayMs: refresh * 1000 }),
    ...(retention === undefined ? {} : { retentionMs: retention * 3_600_000 }),
  };
}

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
