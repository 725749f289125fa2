import type pg from 'pg';

export interface TableName {
  readonly schema: string;
  readonly table: string;
}

export interface Published {
  /** Tables named one by one. */
  readonly listed: readonly TableName[];
  /** Those of a publication that an administrator has made of all tables, or of whole schemas, if it tells all changes. */
  readonly covered: readonly TableName[];
}

/**
 * What a publication holds; nothing if there is none. Read from the catalog's own tables: the view
 * pg_publication_tables waits for tables that are locked.
 */
export async function publishedTables(client: pg.ClientBase, name: string): Promise<Published> {
  const { rows: listed } = await client.query<TableName>(
    `SELECT n.nspname AS schema, c.relname AS table FROM pg_publication p
     JOIN pg_publication_rel r ON r.prpubid = p.oid JOIN pg_class c ON c.oid = r.prrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE p.pubname = $1`,
    [name],
  );
  const { rows: servers } = await client.query<{ roots: boolean; schemas: boolean }>(
    `SELECT current_setting('server_version_num')::int4 >= 130000 AS roots,
       to_regclass('pg_catalog.pg_publication_namespace') IS NOT NULL AS schemas`,
  );
  const { roots, schemas } = servers[0]!;
  // Changes of a partitioned table come as its own only where the publication says so.
  const root = roots ? "OR (c.relkind = 'p' AND p.pubviaroot)" : '';
  const inSchema = schemas
    ? 'OR EXISTS (SELECT FROM pg_publication_namespace s WHERE s.pnpubid = p.oid AND s.pnnspid = n.oid)'
    : '';
  const { rows: covered } = await client.query<TableName>(
    `SELECT n.nspname AS schema, c.relname AS table FROM pg_publication p
     JOIN pg_class c ON c.relpersistence = 'p' AND (c.relkind = 'r' ${root})
     JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE p.pubname = $1 AND (p.puballtables ${inSchema}) AND p.pubinsert AND p.pubupdate AND p.pubdelete
       AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'`,
    [name],
  );
  return { listed, covered };
}
