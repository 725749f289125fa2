import { pgIdent, pgTable } from '#kernel';
import type { App } from '../definitions/index.ts';
import type { Queryable } from '../planner/index.ts';

/** The tables of the apps, quoted, largest first. */
export async function tablesIn(client: Queryable, apps: readonly App[]): Promise<string[]> {
  const { rows } = await client.query<{ schema: string; table: string }>(
    `SELECT n.nspname AS schema, c.relname AS table FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = ANY($1::text[]) AND c.relkind = 'r' ORDER BY pg_relation_size(c.oid) DESC, 1, 2`,
    [apps.map((app) => app.name)],
  );
  return rows.map((row) => pgTable(row.schema, row.table));
}

/**
 * Takes away what a bulk load would pay for row by row, foreign keys and indexes, and what COPY refuses to go
 * together with: row-level security for the owner. Planning brings them back.
 */
export async function dropForLoad(client: Queryable, apps: readonly App[]): Promise<void> {
  for (const table of await tablesIn(client, apps))
    await client.query(`ALTER TABLE ${table} NO FORCE ROW LEVEL SECURITY`);
  const schemas = apps.map((app) => app.name);
  const keys = await client.query<{ schema: string; table: string; name: string }>(
    `SELECT n.nspname AS schema, c.relname AS table, k.conname AS name
     FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = ANY($1::text[]) AND k.contype IN ('f', 'u') ORDER BY k.contype, k.conname`,
    [schemas],
  );
  for (const key of keys.rows)
    await client.query(`ALTER TABLE ${pgTable(key.schema, key.table)} DROP CONSTRAINT ${pgIdent(key.name)}`);
  const indexes = await client.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, i.relname AS name
     FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_namespace n ON n.oid = i.relnamespace
     WHERE n.nspname = ANY($1::text[]) AND NOT x.indisprimary`,
    [schemas],
  );
  for (const index of indexes.rows) await client.query(`DROP INDEX ${pgTable(index.schema, index.name)}`);
}

export async function emptyTables(client: Queryable, tables: readonly string[]): Promise<void> {
  if (tables.length > 0) await client.query(`TRUNCATE ${tables.join(', ')}`);
}

/** Fresh statistics, several tables at once: one per session. */
export async function analyse(clients: readonly Queryable[], tables: readonly string[]): Promise<void> {
  const waiting = [...tables];
  await Promise.all(
    clients.map(async (client) => {
      for (let table = waiting.shift(); table !== undefined; table = waiting.shift())
        await client.query(`ANALYZE ${table}`);
    }),
  );
}

/** New rows get keys after those that were loaded. */
export async function moveSequences(client: Queryable, ids: ReadonlyMap<string, number>): Promise<void> {
  for (const [name, last] of ids) {
    const table = pgTable(...(name.split('.') as [string, string]));
    await client.query('SELECT setval(pg_get_serial_sequence($1, $2), $3)', [table, 'id', last]);
  }
}
