/** The catalog is read in four queries, however many tables there are. All fit PostgreSQL 10 and YSQL. */

export interface TableRow {
  readonly oid: number;
  readonly schema: string;
  readonly table: string;
  readonly relkind: 'r' | 'p';
  readonly persistence: string;
  readonly identity: string;
  readonly comment: string | null;
  readonly readable: boolean;
  readonly row_security: boolean;
  readonly last_attnum: number;
}

/** Tables that stand for themselves: ordinary ones and partitioned roots. `$1` null or the filters. */
export const TABLES_SQL = `
SELECT c.oid::int8::float8 AS oid, n.nspname AS schema, c.relname AS table, c.relkind::text AS relkind,
  c.relpersistence::text AS persistence, c.relreplident::text AS identity,
  obj_description(c.oid, 'pg_class') AS comment,
  has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,
  row_security_active(c.oid) AS row_security, c.relnatts::int4 AS last_attnum
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence IN ('p', 'u')
  AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bac')
  AND ($1::text[] IS NULL OR n.nspname || '.' || c.relname = ANY ($1) OR n.nspname || '.*' = ANY ($1))
ORDER BY n.nspname, c.relname`;

export interface ColumnRow {
  readonly relid: number;
  readonly attnum: number;
  readonly name: string;
  readonly dropped: boolean;
  readonly type: number;
  readonly typmod: number;
  readonly declared: string | null;
  readonly not_null: boolean;
  /** '' none, s stored, v virtual. */
  readonly generated: string;
  readonly has_default: boolean;
  readonly has_missing: boolean;
  readonly missing: string | null;
  readonly comment: string | null;
  /** Transaction that last changed this catalog entry; null on YugabyteDB, which has no such column. */
  readonly mark: string | null;
}

/** `$1` table OIDs. Generated columns exist from PostgreSQL 12, missing values from 11. */
export const columnsSql = (serverVersion: number, yugabyte: boolean): string => `
SELECT a.attrelid::int8::float8 AS relid, a.attnum::int4 AS attnum, a.attname AS name, a.attisdropped AS dropped,
  a.atttypid::int8::float8 AS type, a.atttypmod AS typmod,
  CASE WHEN a.attisdropped THEN NULL ELSE format_type(a.atttypid, a.atttypmod) END AS declared,
  a.attnotnull AS not_null, ${serverVersion >= 120_000 ? 'a.attgenerated::text' : "''::text"} AS generated,
  a.atthasdef AS has_default,
  ${
    serverVersion >= 110_000
      ? `a.atthasmissing AS has_missing,
  CASE WHEN NOT a.atthasmissing THEN NULL
    WHEN t.typdelim = ',' THEN (a.attmissingval::text::text[])[1]
    ELSE substr(a.attmissingval::text, 2, length(a.attmissingval::text) - 2) END AS missing`
      : 'false AS has_missing, NULL::text AS missing'
  },
  col_description(a.attrelid, a.attnum) AS comment,
  ${yugabyte ? 'NULL::text' : 'a.xmin::text'} AS mark
FROM pg_attribute a LEFT JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 ORDER BY a.attrelid, a.attnum`;

export interface IndexRow {
  readonly relid: number;
  readonly is_primary: boolean;
  readonly is_identity: boolean;
  readonly immediate: boolean;
  readonly valid: boolean;
  /** Key columns only, in index order. */
  readonly attnums: number[];
  /** YugabyteDB: those of them by whose hash rows are spread. Elsewhere empty. */
  readonly hash_attnums: number[];
}

export const INDEXES_SQL = `
SELECT i.indrelid::int8::float8 AS relid, i.indisprimary AS is_primary, i.indisreplident AS is_identity,
  i.indimmediate AS immediate, i.indisvalid AS valid,
  array_agg(k.attnum::int4 ORDER BY k.place) AS attnums,
  array_remove(array_agg(CASE WHEN k.option & 4 <> 0 THEN k.attnum::int4 END ORDER BY k.place), NULL) AS hash_attnums
FROM pg_index i
  CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indoption::int2[]) WITH ORDINALITY AS k(attnum, option, place)
WHERE i.indrelid = ANY ($1::oid[]) AND (i.indisprimary OR i.indisreplident) AND k.option IS NOT NULL
GROUP BY i.indexrelid, i.indrelid, i.indisprimary, i.indisreplident, i.indimmediate, i.indisvalid`;

export interface StorageRow {
  readonly relid: number;
  readonly storage: string;
  readonly estimated: number;
}

/**
 * Per table over its partitions: storage files and the row count the planner would assume. Asking for a
 * table's size waits for its lock; without `sizes` the last statistics have to do.
 */
export const storageSql = (sizes: boolean): string =>
  sizes ? STORAGE_SQL : STORAGE_SQL.replaceAll(SIZE, '0');

const SIZE = 'coalesce(pg_relation_size(c.oid), 0)';
const STORAGE_SQL = `
WITH RECURSIVE part(root, oid) AS (
  SELECT c.oid, c.oid FROM pg_class c WHERE c.oid = ANY ($1::oid[])
  UNION ALL SELECT p.root, i.inhrelid FROM part p
    JOIN pg_class parent ON parent.oid = p.oid AND parent.relkind = 'p'
    JOIN pg_inherits i ON i.inhparent = p.oid)
SELECT p.root::int8::float8 AS relid, md5(string_agg(c.relfilenode::text, ',' ORDER BY c.oid)) AS storage,
  sum(CASE
    WHEN c.relkind = 'p' THEN 0
    WHEN c.relpages > 0 AND c.reltuples >= 0 THEN
      c.reltuples / c.relpages * GREATEST(${SIZE} / 8192, CASE WHEN ${SIZE} = 0 THEN c.relpages ELSE 0 END)
    WHEN c.reltuples > 0 THEN c.reltuples
    ELSE ${SIZE} / 100 END)::float8 AS estimated
FROM part p JOIN pg_class c ON c.oid = p.oid GROUP BY p.root`;

/** What else there is under a name that was asked for and is not a table of its own. */
export const OTHER_RELATION_SQL = `
SELECT CASE WHEN c.relispartition THEN 'a partition; ask for the partitioned table instead'
  ELSE CASE c.relkind WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view' WHEN 'f' THEN 'a foreign table'
    WHEN 'S' THEN 'a sequence' WHEN 'i' THEN 'an index' ELSE 'not an ordinary table' END END AS what
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname || '.' || c.relname = $1`;
