import type pg from 'pg';
import { pgIdent, pgLiteral, pgTable, tableKey } from '#kernel';
import type { SourceProfile } from '../catalog/index.ts';
import type { TableName } from './published.ts';
import { refused } from './right.ts';

export const EVERY_CHANGE = 'insert, update, delete, truncate';

/** Columns of pg_publication and pg_publication_rel, of which a server has those of its version. */
interface Told {
  readonly pubinsert: boolean;
  readonly pubupdate: boolean;
  readonly pubdelete: boolean;
  readonly pubtruncate?: boolean;
  readonly pubviaroot?: boolean;
}
interface Listed extends TableName {
  readonly rel: { readonly prqual?: string | null; readonly prattrs?: string | null };
}

/**
 * A publication that somebody else has made may publish some kinds of change only, some rows or columns of a table, or
 * a partitioned table's changes as those of its partitions: what it leaves out would be lost without a word. Alters it
 * so that it tells all of these tables, and gives those of which it did not so far: their changes until now are lost.
 * Errors: SOURCE_PUBLICATION_RIGHT (user) with the statements to run.
 */
export async function tellEverything(
  client: pg.ClientBase,
  name: string,
  tables: readonly TableName[],
  { partitionRoot }: SourceProfile,
): Promise<readonly TableName[]> {
  const { rows } = await client.query<{ told: Told }>(
    'SELECT to_jsonb(p) AS told FROM pg_publication p WHERE p.pubname = $1',
    [name],
  );
  const { rows: partitioned } = await client.query<TableName>(
    `SELECT n.nspname AS schema, c.relname AS table FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'p' AND (n.nspname, c.relname) IN (SELECT * FROM unnest($1::name[], $2::name[]))`,
    [tables.map(({ schema }) => schema), tables.map(({ table }) => table)],
  );
  const { rows: listed } = await client.query<Listed>(
    `SELECT n.nspname AS schema, c.relname AS table, to_jsonb(r) AS rel
     FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid JOIN pg_class c ON c.oid = r.prrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE p.pubname = $1`,
    [name],
  );
  const [publication] = rows;
  if (!publication) return [];
  const { pubinsert, pubupdate, pubdelete, pubtruncate = true, pubviaroot = true } = publication.told;
  const every = pubinsert && pubupdate && pubdelete && pubtruncate;
  const split = partitionRoot && !pubviaroot ? partitioned : [];
  const options = [
    ...(every ? [] : [`publish = ${pgLiteral(EVERY_CHANGE)}`]),
    ...(split.length === 0 ? [] : ['publish_via_partition_root = true']),
  ];
  const asked = new Set(tables.map(tableKey));
  const parts = listed.filter(
    ({ rel, ...table }) => asked.has(tableKey(table)) && (rel.prqual ?? rel.prattrs ?? null) !== null,
  );
  const alter = `ALTER PUBLICATION ${pgIdent(name)}`;
  const statements = [
    ...(options.length > 0 ? [`${alter} SET (${options.join(', ')})`] : []),
    ...parts.flatMap(({ schema, table }) =>
      ['DROP', 'ADD'].map((verb) => `${alter} ${verb} TABLE ONLY ${pgTable(schema, table)}`),
    ),
  ];
  if (statements.length === 0) return [];
  const sql = statements.join('; ');
  await client.query('BEGIN');
  try {
    await client.query("SET LOCAL lock_timeout = '2s'");
    await client.query(sql);
    await client.query('COMMIT');
    return every ? [...split, ...parts] : tables;
  } catch (error) {
    await client.query('ROLLBACK');
    throw refused(error, sql, 'make it the owner of the publication and its tables');
  }
}
