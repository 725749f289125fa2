import { mkdirSync } from 'node:fs';
import type { ChangeLog, ConsumeOptions, LogConsumer, Logger, TopicBatch } from '#kernel';
import { HubError, userError } from '#kernel';
import { openCatalog } from './catalog.ts';
import { toChunks } from './codec.ts';
import { createConsumer, type EmbeddedConsumer } from './consumer.ts';
import { listen } from './doorbell.ts';
import { readFrom } from './reader.ts';
import { groupRange, openStore, readExtent } from './store.ts';
import { broadcast, joinGroup } from './subscription.ts';
import { startWriter } from './writer.ts';

export interface EmbeddedLogOptions {
  /** Folder of the log; created when missing. Any number of processes may open it at once. */
  readonly dir: string;
  readonly log: Logger;
  /** How often retention is enforced by itself. Default one minute. */
  readonly retentionCheckMs?: number;
}

const RETENTION_CHECK_MS = 60_000;
/** Dead members and missed events are found within this time. */
const SAFETY_MS = 1000;
const MAX_NAME_BYTES = 249;
/** Bound of one read(), whatever the number of records asked for. */
const READ_BYTES = 64 * 1024 * 1024;

/**
 * The change log on LMDB: promises of `ChangeLog`, for all processes of one machine that open `dir`.
 * Records become visible and durable together; append() of several processes take turns.
 */
export async function openEmbeddedLog(options: EmbeddedLogOptions): Promise<ChangeLog> {
  const { dir, log: logger } = options;
  mkdirSync(dir, { recursive: true });
  const consumers = new Set<EmbeddedConsumer>();
  const heard = (): void => {
    for (const consumer of consumers) consumer.heard();
  };
  const writer = await startWriter({ dir }, logger, heard);
  const store = openStore(dir);
  const catalog = openCatalog(store);
  const silence = listen(dir, SAFETY_MS, logger, heard);
  let closing: Promise<void> | null = null;

  const sweeper = setInterval(() => {
    for (const consumer of consumers) consumer.sweep();
  }, SAFETY_MS);
  sweeper.unref();

  const clear = async (): Promise<void> => {
    while (await writer.perform({ type: 'clear' }));
  };
  const enforceRetention = async (): Promise<void> => {
    // Readers that were killed hold on to old pages until somebody clears their slots.
    store.root.readerCheck();
    await clear();
    while ((await writer.perform({ type: 'retain', now: Date.now() })).more);
  };
  const retention = setInterval(() => {
    if (closing !== null) return;
    enforceRetention().catch((error: unknown) => logger.error({ err: error }, 'log retention failed'));
  }, options.retentionCheckMs ?? RETENTION_CHECK_MS);
  retention.unref();

  const assertOpen = (): void => {
    if (closing !== null) throw new HubError('LOG_CLOSED', 'The log is closed.');
  };
  const fresh = (): void => {
    assertOpen();
    store.root.resetReadTxn();
  };

  return {
    async ensureTopic(topic, config) {
      assertOpen();
      checkName(topic);
      if (!Number.isInteger(config.partitions) || config.partitions < 1 || config.partitions > 65_536) {
        throw userError(
          'LOG_TOPIC_INVALID',
          `Topic ${topic} cannot have ${config.partitions} partitions.`,
          'Use 1 to 65536.',
        );
      }
      await writer.perform({ type: 'ensureTopic', topic, config });
    },
    async deleteTopic(topic) {
      assertOpen();
      await writer.perform({ type: 'deleteTopic', topic });
      await clear();
    },
    async topics(prefix = '') {
      fresh();
      return catalog.list(prefix);
    },
    async append(batches) {
      assertOpen();
      const request = batches.map((batch) => ({
        topic: batch.topic,
        partition: batch.partition,
        chunks: chunksOf(batch),
      }));
      return await writer.perform({ type: 'append', batches: request });
    },
    consume(consume: ConsumeOptions): LogConsumer {
      assertOpen();
      const consumer: EmbeddedConsumer = createConsumer(
        {
          store,
          logger,
          subscription:
            consume.group === null
              ? broadcast(store, catalog, consume)
              : joinGroup(store, writer, consume.group, consume),
          stopped: () => consumers.delete(consumer),
        },
        consume,
      );
      consumers.add(consumer);
      return consumer;
    },
    async read(topic, partition, offset, maxRecords) {
      fresh();
      const row = catalog.topics().get(topic);
      if (row === undefined) {
        throw userError('LOG_TOPIC_UNKNOWN', `Topic ${topic} does not exist.`, 'Create it first.');
      }
      if (partition < 0 || partition >= row.partitions) {
        throw userError(
          'LOG_PARTITION_UNKNOWN',
          `Topic ${topic} has partitions 0 to ${row.partitions - 1}, not ${partition}.`,
          'Name one of them.',
        );
      }
      if (maxRecords < 1) return [];
      const position = Math.max(offset, readExtent(store, row.id, partition).start);
      const cursor = { topic, topicId: row.id, partition, position, leftover: [] };
      return readFrom(store, cursor, { records: maxRecords, bytes: READ_BYTES });
    },
    async lag(group) {
      fresh();
      const names = new Map([...catalog.topics()].map(([topic, row]) => [row.id, topic]));
      return [...store.commits.getRange(groupRange(group))].flatMap(({ key, value: committed }) => {
        const [, topicId, partition] = key as [string, number, number];
        const topic = names.get(topicId);
        if (topic === undefined) return [];
        const { end } = readExtent(store, topicId, partition);
        return [{ topic, partition, committed, end, lag: Math.max(0, end - committed) }];
      });
    },
    async enforceRetention() {
      assertOpen();
      await enforceRetention();
    },
    close() {
      closing ??= (async () => {
        clearInterval(sweeper);
        clearInterval(retention);
        try {
          await Promise.all([...consumers].map((consumer) => consumer.stop()));
        } finally {
          silence();
          await writer.close();
          await store.root.close();
        }
      })();
      return closing;
    },
  };
}

function chunksOf(batch: TopicBatch): ReturnType<typeof toChunks> {
  try {
    return toChunks(batch.records);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw userError(
      'LOG_RECORD_TOO_LARGE',
      `Topic ${batch.topic} was given ${cause.message}.`,
      'Keep one record under 256 MiB.',
      cause,
    );
  }
}

function checkName(topic: string): void {
  const bytes = Buffer.byteLength(topic);
  if (bytes > 0 && bytes <= MAX_NAME_BYTES) return;
  throw userError(
    'LOG_TOPIC_INVALID',
    `A topic name has 1 to ${MAX_NAME_BYTES} bytes, not ${bytes}.`,
    'Choose another name.',
  );
}
