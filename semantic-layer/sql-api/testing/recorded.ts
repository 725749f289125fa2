/** What BI tools send, by tool: statements over the catalogue, and charts as they write them. Written after their public sources and documentation. */
export interface Recorded {
  readonly tool: string;
  readonly what: string;
  readonly sql: string;
  readonly values?: readonly unknown[];
  /** Text the answer must hold. */
  readonly holds?: string;
}

export const CATALOGUE: readonly Recorded[] = [
  {
    tool: 'Metabase 0.5x',
    what: 'tables of the database',
    holds: 'orders',
    sql: `SELECT n.nspname AS schema, c.relname AS name,
 CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED TABLE' WHEN 'v' THEN 'VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE NULL END AS type,
 d.description AS description, NULLIF(stat.n_live_tup, 0) AS estimated_row_count
FROM pg_catalog.pg_class AS c INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
 LEFT JOIN pg_catalog.pg_description AS d ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
 LEFT JOIN pg_stat_user_tables AS stat ON n.nspname = stat.schemaname AND c.relname = stat.relname
WHERE c.relnamespace = n.oid AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'f', 'm')
ORDER BY type, schema, name`,
  },
  {
    tool: 'Metabase 0.5x',
    what: 'fields of all tables',
    holds: 'created_at',
    sql: `SELECT c.column_name AS name, c.udt_name AS "database-type", c.ordinal_position - 1 AS "database-position", c.table_schema AS "table-schema", c.table_name AS "table-name",
 pk.column_name IS NOT NULL AS "pk?", col_description(CAST(CAST(format('%I.%I', CAST(c.table_schema AS text), CAST(c.table_name AS text)) AS regclass) AS oid), c.ordinal_position) AS "field-comment"
FROM information_schema.columns AS c LEFT JOIN (SELECT tc.table_schema, tc.table_name, kc.column_name FROM information_schema.table_constraints AS tc
 INNER JOIN information_schema.key_column_usage AS kc ON tc.constraint_name = kc.constraint_name AND tc.table_schema = kc.table_schema AND tc.table_name = kc.table_name
 WHERE tc.constraint_type = 'PRIMARY KEY') AS pk ON c.table_schema = pk.table_schema AND c.table_name = pk.table_name AND c.column_name = pk.column_name
WHERE c.table_schema !~ '^information_schema|catalog_history|pg_' AND c.table_schema IN ('public') ORDER BY "table-schema", "table-name", "database-position"`,
  },
  {
    tool: 'Metabase 0.5x',
    what: 'privileges',
    holds: 'orders',
    sql: `SELECT t.schemaname AS schema, t.tablename AS table, has_table_privilege(current_user, format('%I.%I', t.schemaname, t.tablename), 'SELECT') AS "select" FROM pg_catalog.pg_tables t WHERE t.schemaname !~ '^pg_' AND t.schemaname <> 'information_schema'`,
  },
  { tool: 'Metabase 0.5x', what: 'time zone', sql: 'SHOW TIME ZONE', holds: 'UTC' },
  {
    tool: 'Grafana 11',
    what: 'version',
    sql: "SELECT current_setting('server_version_num')::int/100 as version",
    holds: '180',
  },
  {
    tool: 'Grafana 11',
    what: 'tables',
    holds: 'sales',
    sql: `SELECT CASE WHEN quote_ident(table_schema) IN (SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END FROM generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) as i, string_to_array(current_setting('search_path'), ',') s) THEN quote_ident(table_name) ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS "table" FROM information_schema.tables WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog', '_timescaledb_cache') ORDER BY 1`,
  },
  {
    tool: 'Grafana 11',
    what: 'columns',
    holds: 'revenue',
    sql: `SELECT quote_ident(column_name) AS "column", data_type AS "type" FROM information_schema.columns WHERE quote_ident(table_name) = 'sales' AND quote_ident(table_schema) = 'public'`,
  },
  {
    tool: 'Power BI (Npgsql 4.0)',
    what: 'types',
    holds: 'numeric',
    sql: `SELECT ns.nspname, typ_and_elem_type.*, CASE WHEN typtype IN ('b', 'e', 'p') THEN 0 WHEN typtype = 'r' THEN 1 WHEN typtype = 'c' THEN 2 WHEN typtype = 'd' THEN 3 WHEN typtype = 'a' THEN 4 END AS ord
FROM (SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.typrelid, typ.typnotnull, typ.relkind, elemtyp.oid AS elemtypoid, elemtyp.typname AS elemtypname, elemcls.relkind AS elemrelkind, CASE WHEN elemproc.proname='array_recv' THEN 'a' ELSE elemtyp.typtype END AS elemtyptype
 FROM (SELECT typ.oid, typnamespace, typname, typrelid, typnotnull, relkind, typelem AS elemoid, CASE WHEN proc.proname='array_recv' THEN 'a' ELSE typ.typtype END AS typtype, CASE WHEN proc.proname='array_recv' THEN typ.typelem WHEN typ.typtype='r' THEN rngsubtype WHEN typ.typtype='d' THEN typ.typbasetype END AS elemtypoid
  FROM pg_type AS typ LEFT JOIN pg_class AS cls ON (cls.oid = typ.typrelid) LEFT JOIN pg_proc AS proc ON proc.oid = typ.typreceive LEFT JOIN pg_range ON (pg_range.rngtypid = typ.oid)) AS typ
 LEFT JOIN pg_type AS elemtyp ON elemtyp.oid = elemtypoid LEFT JOIN pg_class AS elemcls ON (elemcls.oid = elemtyp.typrelid) LEFT JOIN pg_proc AS elemproc ON elemproc.oid = elemtyp.typreceive) AS typ_and_elem_type
JOIN pg_namespace AS ns ON (ns.oid = typnamespace)
WHERE typtype IN ('b', 'r', 'm', 'e', 'd') OR (typtype = 'c' AND relkind='c') OR (typtype = 'p' AND typname IN ('record', 'void', 'unknown')) OR (typtype = 'a' AND (elemtyptype IN ('b', 'r', 'm', 'e', 'd') OR (elemtyptype = 'p' AND elemtypname IN ('record', 'void')) OR (elemtyptype = 'c' AND elemrelkind='c'))) ORDER BY ord`,
  },
  {
    tool: 'Power BI',
    what: 'character set',
    holds: 'UTF8',
    sql: 'select character_set_name from INFORMATION_SCHEMA.character_sets',
  },
  {
    tool: 'Power BI',
    what: 'tables',
    holds: 'sales',
    sql: "select TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE from INFORMATION_SCHEMA.tables where TABLE_SCHEMA not in ('information_schema', 'pg_catalog') order by TABLE_SCHEMA, TABLE_NAME",
  },
  {
    tool: 'Power BI',
    what: 'columns',
    holds: 'timestamp without time zone',
    sql: "select COLUMN_NAME, ORDINAL_POSITION, IS_NULLABLE, case when (data_type like '%unsigned%') then DATA_TYPE || ' unsigned' else DATA_TYPE end as DATA_TYPE from INFORMATION_SCHEMA.columns where TABLE_SCHEMA = 'public' and TABLE_NAME = 'orders' order by TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION",
  },
  {
    tool: 'Power BI',
    what: 'keys',
    holds: 'orders_pkey',
    sql: "select i.CONSTRAINT_SCHEMA || '_' || i.CONSTRAINT_NAME as INDEX_NAME, ii.COLUMN_NAME, ii.ORDINAL_POSITION, case when i.CONSTRAINT_TYPE = 'PRIMARY KEY' then 'Y' else 'N' end as PRIMARY_KEY from INFORMATION_SCHEMA.table_constraints i inner join INFORMATION_SCHEMA.key_column_usage ii on i.CONSTRAINT_SCHEMA = ii.CONSTRAINT_SCHEMA and i.CONSTRAINT_NAME = ii.CONSTRAINT_NAME and i.TABLE_SCHEMA = ii.TABLE_SCHEMA and i.TABLE_NAME = ii.TABLE_NAME where i.TABLE_SCHEMA = 'public' and i.TABLE_NAME = 'orders' and i.CONSTRAINT_TYPE in ('PRIMARY KEY', 'UNIQUE')",
  },
  {
    tool: 'Tableau (psqlODBC)',
    what: 'tables',
    holds: 'accounts',
    sql: "select relname, nspname, relkind from pg_catalog.pg_class c, pg_catalog.pg_namespace n where relkind in ('r', 'v', 'm', 'f', 'p') and nspname not in ('pg_catalog', 'information_schema', 'pg_toast', 'pg_temp_1') and n.oid = relnamespace order by nspname, relname",
  },
  {
    tool: 'Tableau (psqlODBC)',
    what: 'columns',
    holds: 'shipped_at',
    sql: "select n.nspname, c.relname, a.attname, a.atttypid, t.typname, a.attnum, a.attlen, a.atttypmod, a.attnotnull, c.relhasrules, c.relkind, c.oid, pg_get_expr(d.adbin, d.adrelid), case t.typtype when 'd' then t.typbasetype else 0 end, t.typtypmod, attidentity from (((pg_catalog.pg_class c inner join pg_catalog.pg_namespace n on n.oid = c.relnamespace and c.relname = E'orders' and n.nspname = E'public') inner join pg_catalog.pg_attribute a on (not a.attisdropped) and a.attnum > 0 and a.attrelid = c.oid) inner join pg_catalog.pg_type t on t.oid = a.atttypid) left outer join pg_attrdef d on a.atthasdef and d.adrelid = a.attrelid and d.adnum = a.attnum order by n.nspname, c.relname, attnum",
  },
  {
    tool: 'DBeaver 24',
    what: 'schemas',
    holds: 'public',
    sql: "SELECT n.oid,n.*,d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=n.oid AND d.objsubid=0 AND d.classoid='pg_namespace'::regclass ORDER BY nspname",
  },
];

export const CHARTS: readonly Recorded[] = [
  {
    tool: 'Metabase 0.5x',
    what: 'grouped chart',
    sql: `SELECT CAST(DATE_TRUNC('month', "public"."sales"."created_at") AS date) AS "created_at", "public"."sales"."city" AS "city", SUM("public"."sales"."revenue") AS "sum" FROM "public"."sales" WHERE ("public"."sales"."created_at" >= CAST('2024-01-01 00:00:00' AS timestamp)) AND ("public"."sales"."created_at" < CAST('2025-01-01 00:00:00' AS timestamp)) GROUP BY CAST(DATE_TRUNC('month', "public"."sales"."created_at") AS date), "public"."sales"."city" ORDER BY CAST(DATE_TRUNC('month', "public"."sales"."created_at") AS date) ASC, "public"."sales"."city" ASC`,
  },
  {
    tool: 'Metabase 0.5x',
    what: 'a model as source',
    sql: `SELECT "source"."city" AS "city", AVG("source"."average") AS "avg", COUNT(*) AS "count" FROM (SELECT "public"."sales"."city" AS "city", "public"."sales"."average" AS "average" FROM "public"."sales" WHERE "public"."sales"."status" = 'paid') AS "source" GROUP BY "source"."city" ORDER BY "source"."city" ASC`,
  },
  {
    tool: 'Superset 4',
    what: 'time series',
    sql: `SELECT DATE_TRUNC('month', created_at) AS created_at, city AS city, MEASURE(revenue) AS "MEASURE(revenue)" FROM public.sales WHERE created_at >= TO_TIMESTAMP('2024-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') AND created_at < TO_TIMESTAMP('2025-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') GROUP BY DATE_TRUNC('month', created_at), city ORDER BY "MEASURE(revenue)" DESC LIMIT 1000`,
  },
  {
    tool: 'Superset 4',
    what: 'filter values',
    sql: 'SELECT status AS status FROM public.orders GROUP BY status LIMIT 1000',
  },
  {
    tool: 'Tableau 2024',
    what: 'bar chart',
    sql: `SELECT "sales"."city" AS "city", SUM("sales"."revenue") AS "sum:revenue:ok" FROM "public"."sales" "sales" GROUP BY 1 HAVING (COUNT(1) > 0)`,
  },
  {
    tool: 'Tableau 2024',
    what: 'date parts',
    sql: `SELECT CAST(DATE_TRUNC( 'QUARTER', CAST("sales"."created_at" AS DATE) ) AS DATE) AS "tqr:created_at:ok", SUM("sales"."count") AS "sum:count:ok" FROM "public"."sales" "sales" GROUP BY 1`,
  },
  {
    tool: 'Power BI',
    what: 'DirectQuery',
    sql: `select "_"."city", "_"."a0" from (select "_"."city", sum("_"."revenue") as "a0" from (select "_"."city", "_"."revenue" from (select "_"."city", "_"."revenue", "_"."status" from "public"."sales" "_") "_" where "_"."status" = 'paid' and "_"."status" is not null) "_" group by "_"."city") "_" where not "_"."a0" is null limit 1000001`,
  },
  {
    tool: 'Grafana 11',
    what: 'time group',
    sql: `SELECT floor(extract(epoch from created_at)/86400)*86400 AS "time", sum(revenue) AS "revenue" FROM orders WHERE created_at BETWEEN '2024-01-01T00:00:00Z' AND '2024-03-01T00:00:00Z' GROUP BY 1 ORDER BY 1`,
  },
];
