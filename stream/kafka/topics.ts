import { HubError, type TopicConfig, type TopicInfo, userError } from '#kernel';
import type { Brokers, Link } from './brokers.ts';
import { CODE, codeOf, ProtocolError } from './errors.ts';
import { hubName, wireName } from './names.ts';
import { type ClusterMetadata, logDirsRequest, offsetsRequest, type TopicMetadata } from './requests.ts';

export interface TopicDefaults {
  /** Copies of each partition; absent = 3, or as many as there are brokers. */
  readonly replication?: number;
  /** Copies that must have a record before it counts as stored; absent = 2 of 3, else 1. */
  readonly minInsync?: number;
  readonly maxRecordBytes: number;
}

export interface Topics {
  ensure(topic: string, config: TopicConfig): Promise<void>;
  remove(topic: string): Promise<void>;
  list(prefix: string): Promise<TopicInfo[]>;
}

const ADMIN_MS = 15_000;
const SETTLE_MS = 20_000;
const MAX_NAME = 249;
const TOPIC_RESOURCE = 2;
/** Where a setting comes from: this number says "set for this topic". */
const SET_FOR_TOPIC = 1;

export function openTopics(brokers: Brokers, defaults: TopicDefaults): Topics {
  const controller = async (): Promise<Link> => {
    const metadata = await brokers.refresh([]);
    return brokers.node(metadata.controller);
  };
  const settingsOf = async (topics: readonly string[]): Promise<Map<string, Map<string, string>>> => {
    if (topics.length === 0) return new Map();
    const link = await brokers.any();
    const resources = topics.map((topic) => ({ type: TOPIC_RESOURCE, name: wireName(topic) }) as const);
    const answer = await link.call((broker) => broker.describeConfigs({ resources }));
    return new Map(
      answer.resources.map(({ resourceName, configEntries }) => [
        hubName(resourceName),
        new Map(
          configEntries
            .filter(({ configSource, configValue }) => configSource === SET_FOR_TOPIC && configValue !== null)
            .map(({ configName, configValue }) => [configName, configValue!]),
        ),
      ]),
    );
  };
  /** Repeats until every live broker tells the same: what one broker created others hear of a moment later. */
  const settled = async (topic: string, partitions: number): Promise<void> => {
    const until = performance.now() + SETTLE_MS;
    for (;;) {
      const metadata = await brokers.refresh([topic]);
      const found = metadata.topics[0];
      const count = found?.error === 0 ? found.partitions.filter(({ leader }) => leader >= 0).length : 0;
      if (partitions === 0 ? (found?.error ?? 0) !== 0 : count >= partitions) return;
      if (performance.now() > until)
        throw new ProtocolError('Metadata', found?.error ?? CODE.UNKNOWN_TOPIC_OR_PARTITION);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const create = async (topic: string, config: TopicConfig, nodes: number): Promise<boolean> => {
    const replication = defaults.replication ?? Math.min(3, nodes);
    const minInsync = defaults.minInsync ?? (replication >= 3 ? 2 : 1);
    const settings = {
      ...retention(config),
      'max.message.bytes': String(defaults.maxRecordBytes),
      'min.insync.replicas': String(minInsync),
    };
    const link = await controller();
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    const wanted = {
      topic: wireName(topic),
      numPartitions: config.partitions,
      replicationFactor: replication,
      configEntries,
    };
    try {
      await link.call((broker) => broker.createTopics({ topics: [wanted], timeout: ADMIN_MS }));
      return true;
    } catch (error) {
      if (codeOf(error) === CODE.TOPIC_ALREADY_EXISTS) return false;
      if (codeOf(error) === CODE.INVALID_TOPIC)
        throw userError(
          'LOG_TOPIC_INVALID',
          `Kafka does not take ${topic} as the name of a topic: to it, "." and "_" are one letter.`,
          'Rename the table, or the one whose name it resembles.',
          error,
        );
      throw error;
    }
  };
  const adjust = async (topic: string, config: TopicConfig, found: TopicMetadata): Promise<void> => {
    if (found.partitions.length < config.partitions) {
      const link = await controller();
      try {
        const topicPartitions = [{ topic: wireName(topic), count: config.partitions }];
        await link.call((broker) => broker.createPartitions({ topicPartitions, timeout: ADMIN_MS }));
      } catch (error) {
        // Somebody else was quicker.
        if (codeOf(error) !== CODE.INVALID_PARTITIONS) throw error;
      }
      await settled(topic, config.partitions);
    }
    const now = (await settingsOf([topic])).get(topic) ?? new Map<string, string>();
    const wanted = retention(config);
    if (Object.entries(wanted).every(([name, value]) => now.get(name) === value)) return;
    // The request replaces all settings of a topic: those of others are sent along.
    for (const [name, value] of Object.entries(wanted)) now.set(name, value);
    const configEntries = [...now].map(([name, value]) => ({ name, value }));
    const link = await brokers.any();
    await link.call((broker) =>
      broker.alterConfigs({ resources: [{ type: TOPIC_RESOURCE, name: wireName(topic), configEntries }] }),
    );
  };

  return {
    async ensure(topic, config) {
      check(topic, config);
      const metadata = await brokers.refresh([topic]);
      let found = metadata.topics.find((one) => one.topic === topic && one.error === 0);
      if (!found) {
        if (await create(topic, config, metadata.nodes.length)) return settled(topic, config.partitions);
        await settled(topic, 1);
        found = (await brokers.refresh([topic])).topics[0]!;
      }
      await adjust(topic, config, found);
    },
    async remove(topic) {
      const link = await controller();
      try {
        await link.call((broker) => broker.deleteTopics({ topics: [wireName(topic)], timeout: ADMIN_MS }));
      } catch (error) {
        if (codeOf(error) !== CODE.UNKNOWN_TOPIC_OR_PARTITION) throw error;
      }
      await settled(topic, 0);
    },
    async list(prefix) {
      const metadata = await brokers.refresh(null);
      const topics = metadata.topics
        .filter(({ topic, internal, error }) => topic.startsWith(prefix) && !internal && error === 0)
        .sort((a, b) => (a.topic < b.topic ? -1 : 1));
      const [settings, ends, sizes] = await Promise.all([
        settingsOf(topics.map(({ topic }) => topic)),
        extents(brokers, topics),
        storedBytes(brokers, metadata),
      ]);
      return topics.map(({ topic, partitions }): TopicInfo => {
        const own = settings.get(topic);
        const limit = (name: string): number | undefined => {
          const value = Number(own?.get(name) ?? -1);
          return value < 0 ? undefined : value;
        };
        const [retentionMs, retentionBytes] = [limit('retention.ms'), limit('retention.bytes')];
        return {
          topic,
          partitions: partitions.length,
          ...(retentionMs === undefined ? {} : { retentionMs }),
          ...(retentionBytes === undefined ? {} : { retentionBytes }),
          extents: Array.from({ length: partitions.length }, (_, partition) => {
            const key = `${topic}/${partition}`;
            const extent = ends.get(key);
            // An end told too low would let a watermark pass what is not stored yet.
            if (!extent) throw noLeader(topic, partition);
            return { ...extent, bytes: sizes.get(key) ?? 0 };
          }),
        };
      });
    },
  };
}

/**
 * First available and next offset by `topic/partition`. Partitions whose leader does not answer for them are asked
 * for again, with fresh metadata, for a while; what is then missing is left out.
 */
export async function extents(
  brokers: Brokers,
  topics: readonly TopicMetadata[],
  patienceMs = 1000,
): Promise<Map<string, { start: number; end: number }>> {
  const until = performance.now() + patienceMs;
  const result = new Map<string, { start: number; end: number }>();
  for (let asked = topics; ; ) {
    await askExtents(brokers, asked, result);
    const missing = asked.filter(({ topic, partitions }) =>
      partitions.some(({ partition }) => !result.has(`${topic}/${partition}`)),
    );
    if (missing.length === 0 || performance.now() > until) return result;
    await new Promise((resolve) => setTimeout(resolve, 50));
    const metadata = await brokers.refresh(missing.map(({ topic }) => topic));
    asked = metadata.topics.filter(({ error }) => error === 0);
    if (asked.length === 0) return result;
  }
}

async function askExtents(
  brokers: Brokers,
  topics: readonly TopicMetadata[],
  result: Map<string, { start: number; end: number }>,
): Promise<void> {
  const led = topics.flatMap(({ topic, partitions }) =>
    partitions
      .filter(({ leader, partition }) => leader >= 0 && !result.has(`${topic}/${partition}`))
      .map(({ partition, leader }) => ({ topic, partition, leader })),
  );
  await Promise.all(
    [...Map.groupBy(led, ({ leader }) => leader)].map(async ([leader, parts]) => {
      const link = await brokers.node(leader);
      const starts = await link.send(offsetsRequest(parts, 'start'));
      const ends = await link.send(offsetsRequest(parts, 'end'));
      const endOf = new Map(
        ends
          .filter(({ error }) => error === 0)
          .map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset] as [string, number]),
      );
      for (const { topic, partition, offset: start, error } of starts) {
        const end = endOf.get(`${topic}/${partition}`);
        if (error === 0 && end !== undefined) result.set(`${topic}/${partition}`, { start, end });
      }
    }),
  );
}

/** Bytes of each partition's leading copy. */
async function storedBytes(brokers: Brokers, metadata: ClusterMetadata): Promise<Map<string, number>> {
  const leaders = new Map<string, number>(
    metadata.topics.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, leader }) => [`${topic}/${partition}`, leader] as const),
    ),
  );
  const result = new Map<string, number>();
  await Promise.all(
    metadata.nodes.map(async ({ nodeId }) => {
      const link = await brokers.node(nodeId);
      for (const { topic, partition, bytes } of await link.send(logDirsRequest())) {
        const key = `${topic}/${partition}`;
        if (leaders.get(key) === nodeId) result.set(key, bytes);
      }
    }),
  );
  return result;
}

const noLeader = (topic: string, partition: number): HubError =>
  new HubError(
    'LOG_UNREACHABLE',
    `Partition ${partition} of topic ${topic} has no leader: its brokers are away.`,
    {
      next: 'Start the brokers that hold it; the hub goes on by itself.',
      disposition: 'transient',
    },
  );

const retention = ({ retentionMs, retentionBytes }: TopicConfig): Record<string, string> => ({
  'retention.ms': String(retentionMs ?? -1),
  'retention.bytes': String(retentionBytes ?? -1),
});

function check(topic: string, { partitions }: TopicConfig): void {
  const name = wireName(topic);
  if (name.length > MAX_NAME || name === '' || name === '.' || name === '..')
    throw userError(
      'LOG_TOPIC_INVALID',
      `Kafka does not take ${JSON.stringify(topic)} as the name of a topic.`,
      `Use a shorter name: ${MAX_NAME} letters, where each byte outside a-z, A-Z, 0-9, ".", "_" and "-" counts four.`,
    );
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > 65_536)
    throw userError(
      'LOG_TOPIC_INVALID',
      `Topic ${topic} cannot have ${partitions} partitions.`,
      'Use 1 to 65536.',
    );
}
