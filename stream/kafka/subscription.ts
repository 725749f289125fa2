import type { ConsumeOptions } from '#kernel';
import { matches, type TopicPattern } from '../patterns.ts';
import type { Brokers } from './brokers.ts';
import { CODE, ProtocolError } from './errors.ts';
import type { ClusterMetadata, TopicMetadata } from './requests.ts';
import { extents } from './topics.ts';

export interface Assigned {
  readonly topic: string;
  readonly partition: number;
  /** Offset to go on from. */
  readonly position: number;
}

/** What a subscription tells its consumer. */
export interface SubscriptionHost {
  /** Everything that is owned from now on. What was owned before under the same position goes on undisturbed. */
  assign(partitions: readonly Assigned[]): void;
  /** Nothing more is delivered; resolves when no handler runs and what was done is committed. */
  revoke(): Promise<void>;
  /** Taken for dead by the group: handlers are told, commits no longer count. */
  lost(): void;
  /** It is sure again that what is owned is owned. */
  resume(): void;
  owned(): readonly { readonly topic: string; readonly partition: number }[];
}

/** What a consumer may deliver: as the member of a group, or as a reader that shares with nobody. */
export interface Subscription {
  /** Runs until left. */
  run(host: SubscriptionHost): Promise<void>;
  /** Everything below `offset` is done. */
  commit(topic: string, partition: number, offset: number): void;
  /** Resolves when what was given to `commit` is stored, refused for good, or `withinMs` is over. */
  flush(withinMs: number): Promise<void>;
  /** False while it is unsure whether the partitions still belong to this consumer. */
  mayDeliver(): boolean;
  /** Topics may have changed: look now. */
  look(): void;
  leave(): Promise<void>;
}

export const METADATA_POLL_MS = 1000;

export const matching = (metadata: ClusterMetadata, patterns: readonly TopicPattern[]): TopicMetadata[] =>
  metadata.topics
    .filter(({ topic, error, internal }) => error === 0 && !internal && matches(topic, patterns))
    .sort((a, b) => (a.topic < b.topic ? -1 : 1));

/** Which topics match and how many partitions they have: changes when an assignment must. */
export const shapeOf = (topics: readonly TopicMetadata[]): string =>
  topics.map(({ topic, partitions }) => `${topic}/${partitions.length}`).join('\n');

/** A wait that others can end early. */
export class Bell {
  #ring: () => void = () => undefined;
  ring(): void {
    this.#ring();
  }
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#ring = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Extents of all these partitions. Error: transient, if a leader does not tell them. */
export async function known(
  brokers: Brokers,
  topics: readonly TopicMetadata[],
): Promise<Map<string, { start: number; end: number }>> {
  const found = await extents(brokers, topics, 5000);
  for (const { topic, partitions } of topics)
    for (const { partition } of partitions)
      if (!found.has(`${topic}/${partition}`)) throw new ProtocolError('ListOffsets', CODE.NO_LEADER);
  return found;
}

/**
 * Where partitions begin that have no committed offset: for `from: 'end'` those that were there when the consumer
 * began start at their end of then; all others start at their start.
 */
export async function beginnings(
  brokers: Brokers,
  options: Pick<ConsumeOptions, 'topics' | 'from'>,
): Promise<ReadonlyMap<string, number>> {
  if (options.from !== 'end') return new Map();
  const found = await known(brokers, matching(await brokers.refresh(null), options.topics));
  return new Map([...found].map(([key, { end }]) => [key, end]));
}

/** Every matching partition; positions live in memory only. */
export function broadcast(
  brokers: Brokers,
  options: Pick<ConsumeOptions, 'topics' | 'from'>,
  onFailure: (error: unknown) => void,
): Subscription {
  const bell = new Bell();
  let left = false;
  const at = new Map<string, number>();

  const sync = async (host: SubscriptionHost, shape: string, begin: ReadonlyMap<string, number>) => {
    const topics = matching(await brokers.refresh(null), options.topics);
    const seen = shapeOf(topics);
    if (seen === shape) return seen;
    const present = new Set(
      topics.flatMap(({ topic, partitions }) => partitions.map((_, p) => `${topic}/${p}`)),
    );
    const fresh = [...present].some((key) => !at.has(key) && !begin.has(key));
    const starts = fresh ? await known(brokers, topics) : new Map<string, { start: number }>();
    for (const key of at.keys()) if (!present.has(key)) at.delete(key);
    for (const key of present) {
      if (!at.has(key)) at.set(key, begin.get(key) ?? starts.get(key)?.start ?? 0);
    }
    host.assign(
      topics.flatMap(({ topic, partitions }) =>
        partitions.map((_, partition) => ({
          topic,
          partition,
          position: at.get(`${topic}/${partition}`)!,
        })),
      ),
    );
    return seen;
  };

  return {
    async run(host) {
      let shape = 'none yet';
      let begin: ReadonlyMap<string, number> | null = null;
      while (!left) {
        try {
          begin ??= await beginnings(brokers, options);
          shape = await sync(host, shape, begin);
        } catch (error) {
          if (!left) onFailure(error);
        }
        if (!left) await bell.wait(METADATA_POLL_MS);
      }
    },
    commit(topic, partition, offset) {
      at.set(`${topic}/${partition}`, offset);
    },
    flush: async () => undefined,
    mayDeliver: () => true,
    look: () => bell.ring(),
    async leave() {
      left = true;
      bell.ring();
    },
  };
}
