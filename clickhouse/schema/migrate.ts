import { readdir, readFile } from 'node:fs/promises';
import type { Warehouse } from '#kernel';
import { type Layout, layoutOf, onAll, shardsOf, systemTable } from '../tables/index.ts';

/**
 * Brings the hub's own ClickHouse objects up to date: numbered files in order, each once; for a cluster
 * `NNN_name.cluster.sql` instead of `NNN_name.sql` where there is one. ClickHouse has no transactions over
 * DDL, so every statement must bear being run again (IF NOT EXISTS, OR REPLACE); then a crash in between,
 * or two processes at once, do no harm.
 */
export async function migrateWarehouse(
  warehouse: Warehouse,
  folder = new URL('.', import.meta.url),
): Promise<void> {
  const layout = layoutOf(warehouse);
  const run = (sql: string): Promise<void> => onAll(warehouse, renderStatement(sql, layout));
  await run('CREATE DATABASE IF NOT EXISTS bac{cluster}');
  await run(
    'CREATE TABLE IF NOT EXISTS bac.migrations{cluster} (number UInt32, done_at DateTime DEFAULT now()) ENGINE = {engine} ORDER BY number',
  );
  // In a cluster each shard has the record: whichever host is asked, the answer is the same.
  const shards = await shardsOf(warehouse);
  const [done] = await warehouse.query<{ last: number }>('SELECT max(number) AS last FROM bac.migrations');
  const all = await readdir(folder);
  const files = all.filter((name) => /^\d{3}_[a-z_]+\.sql$/.test(name)).sort();
  for (const file of files) {
    const number = Number(file.slice(0, 3));
    if (number <= Number(done?.last ?? 0)) continue;
    const variant = file.replace(/\.sql$/, '.cluster.sql');
    const chosen = layout.cluster !== null && all.includes(variant) ? variant : file;
    const text = await readFile(new URL(chosen, folder), 'utf8');
    for (const statement of text.split(/;\s*$/m)) {
      if (/^\s*[A-Z]/m.test(statement.replace(/--.*$/gm, ''))) await run(statement);
    }
    for (const shard of shards) {
      await shard.command('INSERT INTO bac.migrations (number) VALUES ({number:UInt32})', {
        params: { number },
      });
    }
  }
}

/** A statement with what the layout says for ON CLUSTER, for the engine, and for system.tables of all shards. */
export const renderStatement = (sql: string, layout: Layout): string =>
  sql
    .replaceAll('{cluster}', layout.onCluster)
    .replaceAll('{engine}', layout.engine())
    .replaceAll('{tables}', systemTable(layout, 'tables'));
