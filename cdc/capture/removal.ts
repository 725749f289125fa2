import { setTimeout as sleep } from 'node:timers/promises';
import { HubError, type Logger, topicOf } from '#kernel';
import { profileOf } from '../catalog/index.ts';
import { connectorOf, heartbeatTopicOf } from '../debezium/index.ts';
import { dropPublication, dropSlot, slotNameOf } from '../slots/index.ts';
import { SourceClient } from './source-client.ts';
import type { CaptureOptions, SourceRow } from './types.ts';

const ATTEMPTS = 50;
const ATTEMPT_MS = 100;

/**
 * Takes a source out everywhere: slot and publication at the source, warehouse tables, topics, the
 * hub's rows. Idempotent; what cannot be reached at the source is logged and left, since the source
 * may be gone for good.
 */
export async function removeCompletely(
  options: CaptureOptions,
  source: SourceRow,
  logger: Logger,
): Promise<void> {
  const { pool, log, registry, target } = options;
  // Before the slot, which it reads, and the topics, which it would make again.
  const connector = connectorOf(options, source);
  await connector?.remove();
  if (connector) await log.deleteTopic(heartbeatTopicOf(source.name));
  try {
    const client = await SourceClient.connect(source.url, source.kind, () => undefined);
    try {
      await dropWhenFree(client, source.slot ?? slotNameOf(source.name));
      await client.use((connection) => dropPublication(connection, source.name));
    } finally {
      await client.close();
    }
  } catch (err) {
    // It comes free by itself; what is done again has no effect, and stopping need not wait for it.
    const lingers =
      profileOf(source.kind).slotLingers && err instanceof HubError && err.code === 'SLOT_ACTIVE';
    if (lingers) throw err;
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

/** The server needs a moment to notice that the slot's reader has gone. */
async function dropWhenFree(client: SourceClient, slot: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await client.use((connection) => dropSlot(connection, slot));
      return;
    } catch (error) {
      if (!(error instanceof HubError) || error.code !== 'SLOT_ACTIVE' || attempt === ATTEMPTS) throw error;
      await sleep(ATTEMPT_MS);
    }
  }
}
