import { readdir, readFile } from 'node:fs/promises';
import type { Warehouse } from '#kernel';

/**
 * Brings the hub's own ClickHouse objects up to date: numbered files in order, each once. ClickHouse
 * has no transactions over DDL, so every statement must bear being run again (IF NOT EXISTS, OR REPLACE);
 * then a crash in between, or two processes at once, do no harm.
 */
export async function migrateWarehouse(
  warehouse: Warehouse,
  folder = new URL('.', import.meta.url),
): Promise<void> {
  await warehouse.command('CREATE DATABASE IF NOT EXISTS bac');
  await warehouse.command(
    'CREATE TABLE IF NOT EXISTS bac.migrations (number UInt32, done_at DateTime DEFAULT now()) ENGINE = ReplacingMergeTree ORDER BY number',
  );
  const [done] = await warehouse.query<{ last: number }>('SELECT max(number) AS last FROM bac.migrations');
  const files = (await readdir(folder)).filter((name) => /^\d{3}_.*\.sql$/.test(name)).sort();
  for (const file of files) {
    const number = Number(file.slice(0, 3));
    if (number <= Number(done?.last ?? 0)) continue;
    const text = await readFile(new URL(file, folder), 'utf8');
    for (const statement of text.split(/;\s*$/m)) {
      if (/^\s*[A-Z]/m.test(statement.replace(/--.*$/gm, ''))) await warehouse.command(statement);
    }
    await warehouse.command('INSERT INTO bac.migrations (number) VALUES ({number:UInt32})', {
      params: { number },
    });
  }
}
