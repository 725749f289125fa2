import { readdir, readFile } from 'node:fs/promises';
import pg from 'pg';
import { expect, test } from 'vitest';
import { demoApps, planApps } from '#apps';
import { migrateState } from '#kernel';
import { testPostgres } from '#tests/postgres';
import { SCHEMA_RULES, violations } from '../../cdc/yugabyte/testing/rules.ts';

const broken = (statements: readonly string[]): string[] =>
  statements.flatMap((sql) => violations(sql, SCHEMA_RULES).map((rule) => `${rule.id}: ${sql.trim()}`));

test('the hub’s own schema stays inside what YSQL has', async () => {
  const folder = new URL('../../kernel/state/', import.meta.url);
  const files = (await readdir(folder)).filter((name) => name.endsWith('.sql'));
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) {
    const statements = (await readFile(new URL(file, folder), 'utf8')).split(/;\s*\n/);
    expect(statements.length).toBeGreaterThan(1);
    expect(broken(statements)).toEqual([]);
  }
});

test('the tables the planner makes for the apps stay inside what YSQL has, and each has a primary key', async () => {
  await using server = await testPostgres();
  const client = new pg.Client(server.url);
  await client.connect();
  try {
    const pool = new pg.Pool({ connectionString: server.url, max: 1 });
    pool.on('error', () => {}); // its server is stopped while it ends
    await migrateState(pool);
    await pool.end();
    const { steps } = await planApps(client, await demoApps());
    expect(steps.length).toBeGreaterThan(50);
    // Planned only where it can be made; search works without, slower.
    const optional = 'CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public';
    expect(broken(steps.map(({ sql }) => sql).filter((sql) => sql !== optional))).toEqual([]);
    for (const { sql } of steps) await client.query(sql);
    // Only tables with a primary key are in the change stream.
    const { rows } = await client.query<{ name: string }>(
      `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
         AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate)`,
    );
    expect(rows).toEqual([]);
  } finally {
    await client.end();
  }
});
