import { readdir, readFile } from 'node:fs/promises';
import type { Pool } from 'pg';

/**
 * Brings schema `bac` up to date by running the numbered files once each, in order, one transaction
 * a file. Safe to call from several processes at once: the version row is locked first.
 */
export async function migrateState(pool: Pool, folder = new URL('.', import.meta.url)): Promise<void> {
  const files = (await readdir(folder)).filter((name) => /^\d{3}_.*\.sql$/.test(name)).sort();
  const client = await pool.connect();
  try {
    await client.query('CREATE SCHEMA IF NOT EXISTS bac').catch(ignoreDuplicate);
    await client
      .query('CREATE TABLE IF NOT EXISTS bac.migrations (one boolean PRIMARY KEY, done integer NOT NULL)')
      .catch(ignoreDuplicate);
    await client.query('INSERT INTO bac.migrations VALUES (true, 0) ON CONFLICT DO NOTHING');
    for (const file of files) {
      const number = Number(file.slice(0, 3));
      await client.query('BEGIN');
      const { rows } = await client.query<{ done: number }>('SELECT done FROM bac.migrations FOR UPDATE');
      if ((rows[0]?.done ?? 0) < number) {
        await client.query(await readFile(new URL(file, folder), 'utf8'));
        await client.query('UPDATE bac.migrations SET done = $1', [number]);
      }
      await client.query('COMMIT');
    }
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}

/** Two processes creating the same schema or table at once: the loser's 23505/42P06/42P07 is fine. */
function ignoreDuplicate(error: { code?: string }): void {
  if (!['23505', '42P06', '42P07'].includes(error.code ?? '')) throw error;
}
