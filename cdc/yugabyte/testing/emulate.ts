/**
 * What the stand-in changes in a statement before the PostgreSQL behind it answers, so that the answer is
 * YugabyteDB's. The slot functions are not here: the stand-in does them itself.
 */
const REWRITES: readonly (readonly [RegExp, string])[] = [
  [/\bversion\(\)/g, "'PostgreSQL 15.12-YB-2025.2.4.0-b0 on x86_64-pc-linux-gnu'::text"],
  [/current_setting\('server_version'\) LIKE '%-YB-%'/g, 'true'],
  [/current_setting\('server_version_num'\)/g, "'150012'"],
  // The tables behind have FULL, so that the stand-in sees what an UPDATE changed.
  [/c\.relreplident::text/g, "translate(c.relreplident::text, 'f', 'c')"],
  // The first key column is the hashed one, as it is unless told otherwise.
  [/k\.option & 4 <> 0/g, 'k.place = 1'],
  [/yb_hash_code\(([^)]*)\)/g, '(abs(hashtext(ROW($1)::text)) % 65536)'],
  [/\bpg_replication_slots\b/g, 'bac.standin_slots'],
];

export const emulated = (sql: string): string =>
  REWRITES.reduce((text, [pattern, to]) => text.replace(pattern, to), sql);

/** The slots as the catalog shows them; in a schema that is never captured. */
export const SLOTS_TABLE = `CREATE SCHEMA bac;
CREATE TABLE bac.standin_slots (slot_name name PRIMARY KEY, plugin name, database name, active boolean,
  restart_lsn pg_lsn, confirmed_flush_lsn pg_lsn, wal_status text, yb_restart_commit_ht int8, yb_lsn_type text)`;

/** Raises an error in the place of a statement, with or without parameters. */
export const refusal = (code: string, message: string): string =>
  `DO $refused$ BEGIN RAISE EXCEPTION '${message.replaceAll("'", "''").replaceAll('%', '%%')}' USING ERRCODE = '${code}'; END $refused$`;
