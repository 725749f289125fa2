import type { ChangeLog, LogConsumer, Logger, PartitionLag, StoredRecord } from '#kernel';
import { decodeBatches } from './batch.ts';
import { openBrokers, type TlsOptions, translated } from './brokers.ts';
import { createConsumer, type KafkaConsumer } from './consumer.ts';
import type { SaslOptions } from './driver.ts';
import {
  CODE,
  COORDINATOR_MOVES,
  closed,
  codeOf,
  ProtocolError,
  unknownPartition,
  unknownTopic,
} from './errors.ts';
import { hubName } from './names.ts';
import { openProducer } from './producer.ts';
import { fetchRequest } from './requests.ts';
import { extents, openTopics } from './topics.ts';

export interface KafkaLogOptions {
  /** `host:port` of some brokers; the others are learned from them. */
  readonly brokers: readonly string[];
  /** Names this hub to the brokers. Any other than the default `bac` goes in front of its groups' names too. */
  readonly clientId?: string;
  readonly tls?: TlsOptions | null;
  readonly sasl?: SaslOptions | null;
  /** Copies of each partition of new topics. Default 3, or as many as there are brokers. */
  readonly replication?: number;
  /** Copies that must have a record before it counts as stored. Default 2 of 3, else 1. */
  readonly minInsync?: number;
  /** Largest record of new topics. Default 64 MiB; brokers limit a request to 100 MiB by default. */
  readonly maxRecordBytes?: number;
  /** A group takes a member for dead that was silent for so long. Default 10 s. */
  readonly sessionMs?: number;
  /** An append that was not acknowledged for so long rejects with what stood in its way. Default 2 minutes. */
  readonly deliveryTimeoutMs?: number;
  readonly log: Logger;
}

const DEFAULT_CLIENT = 'bac';
const MAX_RECORD_BYTES = 64 * 1024 * 1024;
const SESSION_MS = 10_000;
const DELIVERY_MS = 120_000;
const READ_BYTES = 8 * 1024 * 1024;
/** A new leader is known everywhere within this. */
const STALE_MS = 5000;
const STALE: ReadonlySet<number> = new Set([
  CODE.UNKNOWN_TOPIC_OR_PARTITION,
  CODE.NO_LEADER,
  CODE.NOT_LEADER,
]);

/** The cluster's own id. Errors: LOG_UNREACHABLE, LOG_AUTH_FAILED (transient). */
export async function kafkaClusterId(options: KafkaLogOptions): Promise<string> {
  const brokers = openBrokers({ ...options, clientId: options.clientId ?? DEFAULT_CLIENT });
  try {
    return await translated(brokers, async () => (await brokers.refresh([])).clusterId);
  } finally {
    brokers.close();
  }
}

/**
 * The change log on Kafka 2.3 to 4.x: promises of `ChangeLog`. Resolves without a look at the cluster: what stands
 * in the way (LOG_UNREACHABLE, LOG_AUTH_FAILED) is told by the first use, and what waits goes on by itself once it
 * is out of the way. Kafka enforces retention itself.
 */
export async function openKafkaLog(options: KafkaLogOptions): Promise<ChangeLog> {
  const clientId = options.clientId ?? DEFAULT_CLIENT;
  const groupPrefix = clientId === DEFAULT_CLIENT ? '' : `${clientId}.`;
  const logger = options.log;
  const cluster = { brokers: options.brokers, clientId, tls: options.tls, sasl: options.sasl, log: logger };
  // Whoever waits for replicas on the producer's connection must not hold up the rest.
  const brokers = openBrokers(cluster);
  const producerBrokers = brokers.spare();
  const topics = openTopics(brokers, {
    replication: options.replication,
    minInsync: options.minInsync,
    maxRecordBytes: options.maxRecordBytes ?? MAX_RECORD_BYTES,
  });
  const producer = openProducer(producerBrokers, logger, options.deliveryTimeoutMs ?? DELIVERY_MS);
  const consumers = new Set<KafkaConsumer>();
  let closing: Promise<void> | null = null;

  const use = <Result>(task: () => Promise<Result>): Promise<Result> => {
    if (closing) return Promise.reject(closed());
    return translated(brokers, task);
  };
  const changed = (): void => {
    for (const consumer of consumers) consumer.look();
  };

  const committedOffsets = async (groupId: string) => {
    for (const until = performance.now() + STALE_MS; ; ) {
      try {
        const anywhere = await brokers.any();
        const { coordinator } = await anywhere.call((broker) => broker.findGroupCoordinator({ groupId }));
        const link = brokers.at(coordinator);
        return (await link.call((broker) => broker.offsetFetch({ groupId, topics: [] }))).responses;
      } catch (error) {
        if (!COORDINATOR_MOVES.has(codeOf(error) ?? 0) || performance.now() > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  };
  const readOnce = async (
    topic: string,
    partition: number,
    offset: number,
  ): Promise<{ records: StoredRecord[]; next: number; end: number }> => {
    if (brokers.leader(topic, partition) === undefined) await brokers.refresh([topic]);
    const count = brokers.partitions(topic);
    if (count === undefined) throw unknownTopic(topic);
    if (partition < 0 || partition >= count) throw unknownPartition(topic, partition, count);
    const leader = brokers.leader(topic, partition);
    if (leader === undefined) throw new ProtocolError('Fetch', CODE.NO_LEADER);
    const link = await brokers.node(leader);
    const asked = [{ topic, partition, offset }];
    const bounds = { waitMs: 0, totalBytes: READ_BYTES, partitionBytes: READ_BYTES };
    const [answer] = await link.send(fetchRequest(asked, bounds));
    if (answer!.error === CODE.OFFSET_OUT_OF_RANGE) {
      const found = await extents(brokers, (await brokers.refresh([topic])).topics);
      const { start, end } = found.get(`${topic}/${partition}`) ?? { start: 0, end: 0 };
      return { records: [], next: offset < start ? start : end, end: offset < start ? end : -1 };
    }
    if (answer!.error !== 0) throw new ProtocolError('Fetch', answer!.error);
    const decoded = await decodeBatches(answer!.set, offset, `${topic} partition ${partition}`);
    return { ...decoded, end: answer!.end };
  };

  return {
    ensureTopic: (topic, config) => use(() => topics.ensure(topic, config)).then(changed),
    deleteTopic: (topic) => use(() => topics.remove(topic)).then(changed),
    topics: (prefix = '') => use(() => topics.list(prefix)),
    append: (batches) => use(() => producer.append(batches)),
    consume(consume): LogConsumer {
      if (closing) throw closed();
      const consumer: KafkaConsumer = createConsumer(
        {
          brokers: brokers.spare(),
          logger,
          groupPrefix,
          sessionMs: options.sessionMs ?? SESSION_MS,
          stopped: () => consumers.delete(consumer),
        },
        consume,
      );
      consumers.add(consumer);
      return consumer;
    },
    read: (topic, partition, offset, maxRecords) =>
      use(async () => {
        const result: StoredRecord[] = [];
        let at = Math.max(0, offset);
        const until = performance.now() + STALE_MS;
        while (result.length < maxRecords) {
          try {
            const { records, next, end } = await readOnce(topic, partition, at);
            for (const record of records.slice(0, maxRecords - result.length)) result.push(record);
            if (next >= end || next === at) break;
            at = next;
          } catch (error) {
            // Where a partition is may be old news: ask again.
            if (!(error instanceof ProtocolError) || !STALE.has(error.code) || performance.now() > until)
              throw error;
            await new Promise((resolve) => setTimeout(resolve, 50));
            brokers.forget(topic);
          }
        }
        return result;
      }),
    lag: (group) =>
      use(async () => {
        const groupId = groupPrefix + group;
        const responses = await committedOffsets(groupId);
        const committed = responses.flatMap(({ topic, partitions }) =>
          partitions.map(({ partition, offset }) => ({
            topic: hubName(topic),
            partition,
            committed: Number(offset),
          })),
        );
        if (committed.length === 0) return [];
        const metadata = await brokers.refresh([...new Set(committed.map(({ topic }) => topic))]);
        const ends = await extents(
          brokers,
          metadata.topics.filter(({ error }) => error === 0),
        );
        return committed.flatMap((one): PartitionLag[] => {
          const end = ends.get(`${one.topic}/${one.partition}`)?.end;
          if (end === undefined || one.committed < 0) return [];
          return [{ ...one, end, lag: Math.max(0, end - one.committed) }];
        });
      }),
    enforceRetention: async () => undefined,
    close() {
      closing ??= (async () => {
        await Promise.all([...consumers].map((consumer) => consumer.stop()));
        producer.close();
        producerBrokers.close();
        brokers.close();
      })();
      return closing;
    },
  };
}
