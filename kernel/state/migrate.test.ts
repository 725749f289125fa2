import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { expect, test } from 'vitest';
import { testPostgres } from '#tests/postgres';
import { migrateState } from './migrate.ts';

test('many processes at once make the schema, whoever is first', async () => {
  await using server = await testPostgres();
  const pool = new pg.Pool({ connectionString: server.url, max: 8 });
  pool.on('error', () => undefined);
  // Without files: what races is what the files' own lease stands on.
  const folder = mkdtempSync(join(tmpdir(), 'bac-migrate-'));
  try {
    for (let round = 0; round < 60; round += 1) {
      await pool.query('DROP SCHEMA IF EXISTS bac CASCADE');
      await Promise.all(Array.from({ length: 8 }, () => migrateState(pool, pathToFileURL(`${folder}/`))));
    }
    await migrateState(pool);
    expect((await pool.query('SELECT count(*)::int AS rows FROM bac.sources')).rows).toEqual([{ rows: 0 }]);
  } finally {
    await pool.end();
    rmSync(folder, { recursive: true, force: true });
  }
});
