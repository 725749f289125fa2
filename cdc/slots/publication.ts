import type pg from 'pg';
import { pgIdent, pgLiteral, pgTable, tableKey } from '#kernel';
import { introspectTables, type SourceProfile } from '../catalog/index.ts';
import { publishedTables, type TableName } from './published.ts';
import { refused } from './right.ts';
import { EVERY_CHANGE, tellEverything } from './whole.ts';

export interface Publication {
  /** What to name in `publication_names` of START_REPLICATION. */
  readonly names: readonly string[];
  /** True: first inserts into tables made later arrive by themselves; else look into the catalog now and then. */
  readonly discovers: boolean;
  /** Tables that a lock kept out this time: call again. */
  readonly pending: readonly TableName[];
  /** Tables of which it did not tell everything so far. */
  readonly mended: readonly TableName[];
}

/** `changes`: a list of tables, everything. `arrivals`: all tables, inserts only. */
export const publicationsOf = (source: string): { readonly changes: string; readonly arrivals: string } => ({
  changes: `bac_${source}`,
  arrivals: `bac_${source}_arrivals`,
});

/**
 * Brings the publications of a source in line with the tables wanted; idempotent.
 *
 * Publishing updates of a table whose rows cannot be identified makes the source refuse its own
 * UPDATEs. FOR ALL TABLES would do that to every such table, present and future. So updates are
 * published for a list of tables that have an identity, and beside it, for `all` and where the user
 * may, a second publication FOR ALL TABLES of inserts alone (always allowed) tells of new tables:
 * the reader then snapshots the table and calls this again.
 *
 * `tables` that cannot be captured are left out. A publication that already fits is not touched, so a
 * user without the right to alter it can work with one made by somebody else: also with one of whole schemas or of
 * all tables, which is then the choice of who made it. One that keeps changes, rows or columns to itself does not fit.
 * Errors: SOURCE_PUBLICATION_RIGHT (user) with the statement to run.
 */
export async function ensurePublication(
  client: pg.ClientBase,
  source: string,
  tables: readonly TableName[] | 'all',
  profile: SourceProfile,
): Promise<Publication> {
  const names = publicationsOf(source);
  const wanted = new Map<string, TableName>();
  const asked = tables === 'all' ? null : new Set(tables.map(tableKey));
  for (const { schema, reason } of await introspectTables(client, source)) {
    if (reason === null && (!asked || asked.has(tableKey(schema)))) wanted.set(tableKey(schema), schema);
  }
  const options = await publicationOptions(client, profile);
  // Everything is published by default; a server that knows no options has none to refuse.
  await create(client, names.changes, '', profile.arrivals ? options(EVERY_CHANGE) : '');
  const mended = await tellEverything(client, names.changes, [...wanted.values()], profile);
  const pending = await alignTables(client, names.changes, wanted);
  const discovers =
    tables === 'all' && profile.arrivals && (await ensureArrivals(client, names.arrivals, options('insert')));
  return { names: discovers ? [names.changes, names.arrivals] : [names.changes], discovers, pending, mended };
}

/** Removes the source's publications; nothing happens if they are not there. */
export async function dropPublication(client: pg.ClientBase, source: string): Promise<void> {
  const names = publicationsOf(source);
  await client.query(`DROP PUBLICATION IF EXISTS ${pgIdent(names.changes)}, ${pgIdent(names.arrivals)}`);
}

async function publicationOptions(
  client: pg.ClientBase,
  profile: SourceProfile,
): Promise<(publish: string) => string> {
  const { rows } = await client.query<{ version: number }>(
    "SELECT current_setting('server_version_num')::int4 AS version",
  );
  const version = rows[0]!.version;
  const root = profile.partitionRoot && version >= 130_000 ? ', publish_via_partition_root = true' : '';
  const generated = version >= 180_000 ? ', publish_generated_columns = stored' : '';
  return (publish) => `WITH (publish = ${pgLiteral(publish)}${root}${generated})`;
}

async function create(client: pg.ClientBase, name: string, scope: string, options: string): Promise<void> {
  const { rowCount } = await client.query('SELECT 1 FROM pg_publication WHERE pubname = $1', [name]);
  if (rowCount) return;
  const sql = `CREATE PUBLICATION ${pgIdent(name)} ${scope} ${options}`;
  await client.query(sql).catch((error: unknown) => {
    if ((error as { code?: string }).code === '42710') return; // another process was quicker
    throw refused(error, sql, 'GRANT CREATE ON DATABASE to it');
  });
}

/** The all-tables publication needs a superuser; without one new tables are found by looking. */
async function ensureArrivals(client: pg.ClientBase, name: string, options: string): Promise<boolean> {
  const { rows } = await client.query<{ may: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_publication WHERE pubname = $1 AND puballtables)
       OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS may`,
    [name],
  );
  if (!rows[0]!.may) return false;
  await create(client, name, 'FOR ALL TABLES', options);
  return true;
}

async function alignTables(
  client: pg.ClientBase,
  name: string,
  wanted: ReadonlyMap<string, TableName>,
): Promise<TableName[]> {
  const { listed, covered } = await publishedTables(client, name);
  const present = new Set([...listed, ...covered].map(tableKey));
  const added = [...wanted].filter(([key]) => !present.has(key)).map(([, table]) => table);
  const removed = listed.filter((row) => !wanted.has(tableKey(row)));
  return [...(await alter(client, name, 'DROP', removed)), ...(await alter(client, name, 'ADD', added))];
}

/** All in one statement; if a lock or a vanished table is in the way, one by one. Gives those still to do. */
async function alter(
  client: pg.ClientBase,
  name: string,
  verb: 'ADD' | 'DROP',
  tables: readonly TableName[],
): Promise<TableName[]> {
  if (tables.length === 0) return [];
  const sql = `ALTER PUBLICATION ${pgIdent(name)} ${verb} TABLE ${tables
    .map(({ schema, table }) => `ONLY ${pgTable(schema, table)}`)
    .join(', ')}`;
  await client.query('BEGIN');
  try {
    await client.query("SET LOCAL lock_timeout = '2s'");
    await client.query(sql);
    await client.query('COMMIT');
    return [];
  } catch (error) {
    await client.query('ROLLBACK');
    const { code } = error as { code?: string };
    // Table gone, already in, already out (42P01, 42710, 42704) or locked (55P03).
    if (!['42P01', '42710', '42704', '55P03', '3F000'].includes(code ?? '')) {
      throw refused(error, sql, 'make it the owner of the tables');
    }
    if (tables.length === 1) return code === '55P03' ? [...tables] : [];
    const waiting: TableName[] = [];
    for (const table of tables) waiting.push(...(await alter(client, name, verb, [table])));
    return waiting;
  }
}
