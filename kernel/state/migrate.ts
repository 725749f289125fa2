import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { Pool, PoolClient } from 'pg';
import { transientError } from '../errors.ts';
import { ignoreLostRace } from './race.ts';

/** A process that migrates holds the others off this long; renewed before each file. */
const LEASE_SECONDS = 30;
const PATIENCE_MS = 120_000;
const LOOK_AGAIN_MS = 200;

/**
 * Brings schema `bac` up to date by running the numbered files once each, in order, one transaction
 * a file. Any number of processes may call it at once: one migrates under a lease that expires by the
 * database's clock, the others wait until it is done (advisory locks would not do: YugabyteDB has
 * none, and its DDL is not held back by a row lock). A schema that is newer than this program's files
 * is left as it is: files only add.
 * Errors: MIGRATION_BUSY (transient) when another process has not finished within two minutes.
 */
export async function migrateState(pool: Pool, folder = new URL('.', import.meta.url)): Promise<void> {
  const files = (await readdir(folder)).filter((name) => /^\d{3}_.*\.sql$/.test(name)).sort();
  const client = await pool.connect();
  try {
    await bootstrap(client);
    const holder = randomUUID();
    const until = performance.now() + PATIENCE_MS;
    while (missing(files, await done(client)).length > 0) {
      if (await takeLease(client, holder)) {
        await run(client, files, folder, holder).finally(() => giveBack(client, holder));
        return;
      }
      if (performance.now() > until)
        throw transientError('MIGRATION_BUSY', 'Another process is still migrating the hub’s state.');
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
  } finally {
    client.release();
  }
}

const numberOf = (file: string): number => Number(file.slice(0, 3));

async function bootstrap(client: PoolClient): Promise<void> {
  for (const statement of [
    'CREATE SCHEMA IF NOT EXISTS bac',
    'CREATE TABLE IF NOT EXISTS bac.migrations (one boolean PRIMARY KEY, done integer NOT NULL)',
    'ALTER TABLE bac.migrations ADD COLUMN IF NOT EXISTS files integer[]',
    'CREATE TABLE IF NOT EXISTS bac.migration_lease (one boolean PRIMARY KEY, holder text NOT NULL, expires_at timestamptz NOT NULL)',
  ])
    await client.query(statement).catch(ignoreLostRace);
  await client.query('INSERT INTO bac.migrations VALUES (true, 0) ON CONFLICT DO NOTHING');
}

/** Numbers of the files that were run. */
async function done(client: PoolClient, lock = ''): Promise<ReadonlySet<number>> {
  const { rows } = await client.query<{ done: number; files: number[] | null }>(
    `SELECT done, files FROM bac.migrations ${lock}`,
  );
  const { done: first = 0, files = null } = rows[0] ?? {};
  return new Set(files ?? Array.from({ length: first }, (_, index) => index + 1));
}

/** Files may come with lower numbers than some that were run: what counts is which were. */
const missing = (files: readonly string[], ran: ReadonlySet<number>): string[] =>
  files.filter((file) => !ran.has(numberOf(file)));

async function takeLease(client: PoolClient, holder: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `INSERT INTO bac.migration_lease AS held (one, holder, expires_at)
     VALUES (true, $1, now() + $2 * interval '1 second')
     ON CONFLICT (one) DO UPDATE SET holder = $1, expires_at = excluded.expires_at
       WHERE held.holder = $1 OR held.expires_at < now()`,
    [holder, LEASE_SECONDS],
  );
  return rowCount === 1;
}

async function giveBack(client: PoolClient, holder: string): Promise<void> {
  await client.query("UPDATE bac.migration_lease SET expires_at = timestamptz 'epoch' WHERE holder = $1", [
    holder,
  ]);
}

async function run(client: PoolClient, files: readonly string[], folder: URL, holder: string): Promise<void> {
  for (const file of files) {
    if (!(await takeLease(client, holder)))
      throw transientError('MIGRATION_BUSY', 'Another process has taken the migration over.');
    await client.query('BEGIN');
    try {
      // The row lock keeps a process that was thought dead, and is not, from running the same file.
      const ran = await done(client, 'FOR UPDATE');
      if (missing([file], ran).length > 0) {
        await client.query(await readFile(new URL(file, folder), 'utf8'));
        await client.query('UPDATE bac.migrations SET done = greatest(done, $1), files = $2', [
          numberOf(file),
          [...ran, numberOf(file)],
        ]);
      }
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    }
  }
}
