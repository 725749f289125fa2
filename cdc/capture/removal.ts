import { type Logger, topicOf } from '#kernel';
import { dropPublication, dropSlot, slotNameOf } from '../slots/index.ts';
import { SourceClient } from './source-client.ts';
import type { CaptureOptions, SourceRow } from './types.ts';

/**
 * Takes a source out everywhere: slot and publication at the source, warehouse tables, topics, the
 * hub's rows. Idempotent; what cannot be reached at the source is logged and left, since the source
 * may be gone for good.
 */
export async function removeCompletely(
  { pool, log, registry, target }: CaptureOptions,
  source: SourceRow,
  logger: Logger,
): Promise<void> {
  try {
    const client = await SourceClient.connect(source.url, source.kind, () => undefined);
    try {
      await client.use((connection) => dropSlot(connection, source.slot ?? slotNameOf(source.name)));
      await client.use((connection) => dropPublication(connection, source.name));
    } finally {
      await client.close();
    }
  } catch (err) {
    logger.error(
      { err, slot: source.slot ?? slotNameOf(source.name) },
      'slot and publication could not be dropped: drop them by hand if the source lives on',
    );
  }
  for (const table of await registry.tables(source.name)) {
    if (!source.options.keepTables) await target.drop(table);
    await log.deleteTopic(topicOf(table));
    await registry.removeTable(table);
  }
  await pool.query('DELETE FROM bac.leases WHERE name = $1', [`capture:${source.name}`]);
  await pool.query('DELETE FROM bac.sources WHERE name = $1', [source.name]);
  logger.info('source removed');
}
