/**
 * What YugabyteDB's YSQL (2024.1 and later) does not have, or has with another meaning, as far as this
 * product could run into it. Documents by their public address; docs/yugabytedb.md says how they were read.
 */
export interface Rule {
  readonly id: string;
  readonly why: string;
  readonly source: string;
  readonly pattern: RegExp;
  /** A statement the rule must catch: proves that the pattern works. */
  readonly example: string;
}

const CDC =
  'https://docs.yugabyte.com/stable/additional-features/change-data-capture/using-logical-replication/';
const KEYS = `${CDC}key-concepts/`;
const COMPAT = 'https://docs.yugabyte.com/stable/reference/configuration/postgresql-compatibility/';
const ISSUES = 'https://github.com/yugabyte/yugabyte-db/issues/';
const LIMITS = 'https://docs.yugabyte.com/stable/api/ysql/the-sql-language/statements/';

/** Statements sent to a captured database, on ordinary and on replication connections. */
export const CAPTURE_RULES: readonly Rule[] = [
  {
    id: 'wal-position',
    why: 'There is one log per tablet and no position of the whole; LSNs are numbers within a slot.',
    source: CDC,
    pattern: /\bpg_(current_wal|last_wal|wal_lsn|switch_wal|walfile|is_in_recovery|current_xlog)\w*\s*\(/i,
    example: 'SELECT pg_current_wal_insert_lsn()',
  },
  {
    id: 'lsn-arithmetic',
    why: 'An LSN is no byte offset: differences mean nothing.',
    source: CDC,
    pattern: /_lsn\s*-\s*(\w+\.)?\w*_lsn\b/i,
    example: 'SELECT confirmed_flush_lsn - restart_lsn FROM pg_replication_slots',
  },
  {
    id: 'transaction-ids',
    why: 'Transactions have UUIDs; the functions that compare transaction numbers are not there.',
    source: CDC,
    pattern: /\b(txid_\w+|pg_current_xact_id\w*|pg_current_snapshot|pg_snapshot_\w+|pg_xact_\w+)\s*\(/i,
    example: 'SELECT txid_snapshot_xmin(txid_current_snapshot())',
  },
  {
    id: 'row-transactions',
    why: 'Rows are not stored in a heap: xmin, xmax, cmin and ctid say nothing of them.',
    source: `${ISSUES}1210`,
    pattern: /\b(xmin|xmax|cmin|cmax|ctid)\b/i,
    example: "SELECT * FROM t WHERE ctid >= '(0,0)'::tid",
  },
  {
    id: 'exported-snapshot',
    why: 'Exporting a snapshot needs a preview flag.',
    source: `${LIMITS}streaming_create_repl_slot/`,
    pattern: /pg_export_snapshot|SET\s+TRANSACTION\s+SNAPSHOT|\bEXPORT_SNAPSHOT\b/i,
    example: "SET TRANSACTION SNAPSHOT '00000003-1'",
  },
  {
    id: 'advisory-locks',
    why: 'Not there before 2025.1: an error, or silently no lock.',
    source: `${ISSUES}3642`,
    pattern: /\bpg_(try_)?advisory_\w+\s*\(/i,
    example: 'SELECT pg_try_advisory_lock(1)',
  },
  {
    id: 'listen-notify',
    why: 'LISTEN and NOTIFY do nothing before 2026.1.',
    source: `${ISSUES}1872`,
    pattern: /^\s*(LISTEN|UNLISTEN|NOTIFY)\b|\bpg_notify\s*\(/i,
    example: 'LISTEN changes',
  },
  {
    id: 'temporary-slot',
    why: 'Slots are kept by the master; temporary ones are refused.',
    source: `${ISSUES}19263`,
    pattern: /pg_create_logical_replication_slot\([^)]*,\s*true|\bTEMPORARY\s+LOGICAL\b/i,
    example: "SELECT pg_create_logical_replication_slot('s', 'yboutput', true)",
  },
  {
    id: 'physical-replication',
    why: 'There is no physical replication.',
    source: KEYS,
    pattern: /physical_replication_slot|START_REPLICATION\s+(SLOT\s+\S+\s+)?PHYSICAL|\bTIMELINE/i,
    example: 'SELECT pg_create_physical_replication_slot($1)',
  },
  {
    id: 'pull-changes',
    why: 'Changes are streamed only; the functions that fetch them are not there.',
    source: CDC,
    pattern: /\bpg_logical_slot_(get|peek)\w*|pg_replication_slot_advance|pg_copy_\w*replication_slot/i,
    example: "SELECT * FROM pg_logical_slot_get_changes('s', NULL, NULL)",
  },
  {
    id: 'identify-system',
    why: 'Documented as unsupported.',
    source: CDC,
    pattern: /\bIDENTIFY_SYSTEM\b|\bREAD_REPLICATION_SLOT\b/i,
    example: 'IDENTIFY_SYSTEM',
  },
  {
    id: 'replication-statistics',
    why: 'Documented as unsupported; filled in by later versions only.',
    source: CDC,
    pattern: /\bpg_stat_replication\b|\bpg_stat_wal_receiver\b/i,
    example: 'SELECT * FROM pg_stat_replication',
  },
  {
    id: 'plugin',
    why: 'pgoutput refuses tables of the default replica identity, CHANGE, and ends the stream.',
    source: KEYS,
    pattern: /replication_slot\('[^']*',\s*'(?!yboutput')/i,
    example: "SELECT pg_create_logical_replication_slot('s', 'pgoutput')",
  },
  {
    id: 'stream-options',
    why: 'Options of later protocols (streaming, two-phase, messages, binary, origin) are not for all versions.',
    source: KEYS,
    pattern: /START_REPLICATION(?!.*\(proto_version '1', publication_names '[^']*'\)\s*$)/is,
    example: "START_REPLICATION SLOT s LOGICAL 0/0 (proto_version '4', streaming 'on')",
  },
  {
    id: 'publication-options',
    why: 'publish_via_partition_root came with PostgreSQL 13, generated columns with 18: YSQL is 11 or 15.',
    source: `${LIMITS}ddl_create_publication/`,
    pattern:
      /PUBLICATION[^;]*\b(publish_via_partition_root|publish_generated_columns|publish\s*=|TABLES\s+IN\s+SCHEMA|EXCEPT)/i,
    example: "CREATE PUBLICATION p WITH (publish = 'insert', publish_via_partition_root = true)",
  },
  {
    id: 'publication-all-tables',
    why: 'It also takes in tables that cannot be streamed; and one added late can make the slot unusable.',
    source: `${ISSUES}28310`,
    pattern: /PUBLICATION[^;]*\bFOR\s+ALL\s+TABLES\b/i,
    example: 'CREATE PUBLICATION p FOR ALL TABLES',
  },
  {
    id: 'replica-identity',
    why: 'Frozen when the slot is made: to alter it later has no effect, and INDEX does not exist.',
    source: KEYS,
    pattern: /\bREPLICA\s+IDENTITY\b/i,
    example: 'ALTER TABLE t REPLICA IDENTITY DEFAULT',
  },
  {
    id: 'serializable-deferrable',
    why: 'SERIALIZABLE READ ONLY DEFERRABLE waits on nothing that exists there.',
    source: 'https://docs.yugabyte.com/stable/explore/transactions/isolation-levels/',
    pattern: /\bDEFERRABLE\b|\bISOLATION\s+LEVEL\s+READ\s+UNCOMMITTED\b/i,
    example: 'BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE',
  },
  {
    id: 'table-locks',
    why: 'LOCK TABLE is not there but for ACCESS SHARE, before object locking (2025.2).',
    source: `${ISSUES}5384`,
    pattern: /^\s*LOCK\b/i,
    example: 'LOCK TABLE t IN SHARE MODE',
  },
  {
    id: 'copy-options',
    why: 'COPY FROM ... FREEZE and binary copies of user types are not to be relied on.',
    source: `${LIMITS}cmd_copy/`,
    pattern: /\bCOPY\b.*\b(FREEZE|FORMAT\s+binary|WITH\s+BINARY)\b/is,
    example: 'COPY t TO STDOUT WITH (FORMAT binary)',
  },
  {
    id: 'physical-maintenance',
    why: 'There is no heap to vacuum, cluster or sample.',
    source: COMPAT,
    pattern: /^\s*(VACUUM|CLUSTER|CHECKPOINT|REINDEX)\b|\bTABLESAMPLE\b|\bpg_relation_filepath\s*\(/i,
    example: 'SELECT * FROM t TABLESAMPLE SYSTEM (1)',
  },
  {
    id: 'large-objects-and-cursors',
    why: 'Large objects are not there; cursors that outlive a transaction or run backwards are not either.',
    source: `${ISSUES}6514`,
    pattern:
      /\blo_(create|open|import|export)\b|\bWITH\s+HOLD\b|\bSCROLL\s+CURSOR\b|\bFETCH\s+(BACKWARD|PRIOR)\b/i,
    example: 'DECLARE c CURSOR WITH HOLD FOR SELECT 1',
  },
];

/** Statements that make or change tables: the hub's own schema and those of the apps. */
export const SCHEMA_RULES: readonly Rule[] = [
  {
    id: 'inheritance',
    why: 'INHERITS is not there.',
    source: `${ISSUES}1129`,
    pattern: /\bINHERITS?\b\s*\(?/i,
    example: 'CREATE TABLE a () INHERITS (b)',
  },
  {
    id: 'exclusion',
    why: 'Exclusion constraints are not there.',
    source: `${ISSUES}3944`,
    pattern: /\bEXCLUDE\s+(USING|\()/i,
    example: 'ALTER TABLE a ADD EXCLUDE USING gist (r WITH &&)',
  },
  {
    id: 'deferrable',
    why: 'Only foreign keys can be deferred, and a deferrable key identifies no row in the stream.',
    source: `${ISSUES}1709`,
    pattern: /\b(UNIQUE|PRIMARY\s+KEY)\b[^,]*?\)\s*(NOT\s+)?DEFERRABLE\b/i,
    example: 'CREATE TABLE a (b int, UNIQUE (b) DEFERRABLE)',
  },
  {
    id: 'unlogged',
    why: 'UNLOGGED means nothing there.',
    source: `${ISSUES}1129`,
    pattern: /\bUNLOGGED\b/i,
    example: 'CREATE UNLOGGED TABLE a (b int)',
  },
  {
    id: 'index-methods',
    why: 'Only lsm (written btree too), gin and vector indexes; no gist, brin, spgist, hash.',
    source: 'https://docs.yugabyte.com/stable/explore/ysql-language-features/indexes-constraints/',
    pattern: /\bUSING\s+(gist|brin|spgist|hash)\b/i,
    example: 'CREATE INDEX i ON a USING gist (b)',
  },
  {
    id: 'storage',
    why: 'There is no heap: fillfactor, autovacuum, tablespaces by location and storage modes mean nothing.',
    source: `${LIMITS}ddl_create_table/`,
    pattern: /\b(fillfactor|autovacuum\w*|SET\s+STORAGE|SET\s+COMPRESSION|TABLESPACE|CLUSTER\s+ON)\b/i,
    example: 'CREATE TABLE a (b int) WITH (fillfactor = 70)',
  },
  {
    id: 'generated-columns',
    why: 'Generated columns came with PostgreSQL 12: not on clusters of YSQL 11 (2024.1, 2024.2).',
    source: 'https://docs.yugabyte.com/stable/develop/pg15-features/',
    pattern: /\bGENERATED\s+ALWAYS\s+AS\s*\(/i,
    example: 'CREATE TABLE a (b int, c int GENERATED ALWAYS AS (b) STORED)',
  },
  {
    id: 'newer-sql',
    why: 'PostgreSQL 16 to 18 only: virtual columns, temporal keys, NOT NULL ... NOT VALID, SQL/JSON, uuidv7, MERGE ... RETURNING.',
    source: 'https://docs.yugabyte.com/stable/develop/pg15-features/',
    pattern:
      /\bVIRTUAL\b|\bWITHOUT\s+OVERLAPS\b|NOT\s+NULL\s+\w+\s+NOT\s+VALID|\bJSON_(TABLE|QUERY|VALUE|EXISTS)\s*\(|\buuidv7\s*\(|\bNULLS\s+NOT\s+DISTINCT\b|\bMERGE\s+INTO\b/i,
    example: 'CREATE TABLE a (id uuid DEFAULT uuidv7())',
  },
  {
    id: 'events-and-rules',
    why: 'Rules, and triggers with transition tables, are not there.',
    source: `${ISSUES}1668`,
    pattern:
      /\bCREATE\s+(OR\s+REPLACE\s+)?RULE\b|\bREFERENCING\s+(OLD|NEW)\s+TABLE\b|\bCREATE\s+CONSTRAINT\s+TRIGGER\b/i,
    example: 'CREATE RULE r AS ON INSERT TO a DO NOTHING',
  },
  {
    id: 'extensions',
    why: 'Only bundled extensions, and they need a superuser: nothing may depend on one.',
    source: 'https://docs.yugabyte.com/stable/additional-features/pg-extensions/',
    pattern: /\bCREATE\s+EXTENSION\b/i,
    example: 'CREATE EXTENSION postgis',
  },
  ...CAPTURE_RULES.filter(({ id }) =>
    ['advisory-locks', 'listen-notify', 'transaction-ids', 'table-locks', 'physical-maintenance'].includes(
      id,
    ),
  ),
];

/** Rules that the statement breaks. Text in quotes and comments is no SQL, except where a rule reads it. */
export function violations(statement: string, rules: readonly Rule[]): Rule[] {
  const bare = statement.replace(/--[^\n]*/g, ' ').replace(/\/\*[\s\S]*?\*\//g, ' ');
  return rules.filter(({ pattern }) => pattern.test(bare));
}
