import type { ConsumeOptions, Logger } from '#kernel';
import { assign } from '../assign.ts';
import { matches, type TopicPattern } from '../patterns.ts';
import type { Brokers, Link } from './brokers.ts';
import { createCommits, type Generation } from './commits.ts';
import { type JoinedGroup, MemberAssignment, MemberMetadata } from './driver.ts';
import { CODE, COORDINATOR_MOVES, codeOf } from './errors.ts';
import { hubName, wireName } from './names.ts';
import {
  type Assigned,
  Bell,
  beginnings,
  known,
  METADATA_POLL_MS,
  matching,
  type Subscription,
  type SubscriptionHost,
  shapeOf,
} from './subscription.ts';

export interface GroupOptions extends Pick<ConsumeOptions, 'topics' | 'from'> {
  readonly groupId: string;
  /** Silent for so long, a member is taken for dead. */
  readonly sessionMs: number;
}

/** What a member tells the one that assigns: `topics` as subscribed, `owned` as it holds now. */
interface MemberFacts {
  readonly topics: readonly TopicPattern[];
  readonly owned: readonly { readonly topic: string; readonly partition: number }[];
}

const PROTOCOL = 'bac-sticky';
/** Handlers may need so long to end before the group goes on without their member. */
const REBALANCE_MS = 60_000;
const RETRY_MS = 500;

/**
 * Kafka's classic group protocol over kafkajs' requests: at a rebalance every member lets its handlers end, commits,
 * and only then joins again, so that nobody else begins before. One member (the leader) assigns: equal shares,
 * fewest moves; it also watches for new topics. Commits carry the generation: a member that was taken for dead
 * cannot move an offset any more.
 */
export function joinGroup(
  brokers: Brokers,
  logger: Logger,
  options: GroupOptions,
  onFailure: (error: unknown) => void,
): Subscription {
  const { groupId, sessionMs } = options;
  const bell = new Bell();
  let left = false;
  let memberId = '';
  let generation: Generation | null = null;
  let coordinator: Promise<Link> | null = null;
  let isLeader = false;
  let assignedShape = '';
  let watched: readonly TopicPattern[] = options.topics;
  let joining = false;
  let heard = 0;
  let lookNow = false;
  let begin: ReadonlyMap<string, number> | null = null;
  let consumer: SubscriptionHost | null = null;

  const find = (): Promise<Link> => {
    coordinator ??= (async () => {
      const link = await brokers.any();
      const found = await link.call((broker) => broker.findGroupCoordinator({ groupId }));
      return brokers.at(found.coordinator);
    })().catch((error: unknown) => {
      coordinator = null;
      throw error;
    });
    return coordinator;
  };
  const fenced = (): void => {
    if (!generation) return;
    logger.warn({ groupId }, 'kafka: the group went on without this consumer, it joins again');
    generation = null;
    commits.drop();
    consumer?.lost();
    bell.ring();
  };
  const commits = createCommits(logger, {
    groupId,
    coordinator: find,
    moved: () => {
      coordinator = null;
    },
    generation: () => generation,
    fenced,
  });

  const join = async (host: SubscriptionHost): Promise<void> => {
    begin ??= await beginnings(brokers, options);
    const link = await find();
    const facts: MemberFacts = { topics: options.topics, owned: host.owned() };
    const names = options.topics.filter((topic) => typeof topic === 'string').map(wireName);
    const metadata = MemberMetadata.encode({
      version: 0,
      topics: names,
      userData: Buffer.from(JSON.stringify(facts)),
    });
    const joined = await link.call((broker) =>
      broker.joinGroup({
        groupId,
        memberId,
        sessionTimeout: sessionMs,
        rebalanceTimeout: REBALANCE_MS,
        protocolType: 'consumer',
        groupProtocols: [{ name: PROTOCOL, metadata }],
      }),
    );
    memberId = joined.memberId;
    isLeader = joined.leaderId === joined.memberId;
    const groupAssignment = isLeader ? await assignAll(joined) : [];
    const synced = await link.call((broker) =>
      broker.syncGroup({ groupId, generationId: joined.generationId, memberId, groupAssignment }),
    );
    generation = { id: joined.generationId, memberId };
    heard = performance.now();
    const mine = Object.entries(MemberAssignment.decode(synced.memberAssignment)?.assignment ?? {}).flatMap(
      ([name, partitions]) => partitions.map((partition) => ({ topic: hubName(name), partition })),
    );
    host.assign(await positions(link, mine));
    begin = new Map();
  };

  const assignAll = async (
    joined: JoinedGroup,
  ): Promise<{ memberId: string; memberAssignment: Buffer }[]> => {
    const members = joined.members
      .map((member) => ({
        id: member.memberId,
        facts: JSON.parse(MemberMetadata.decode(member.memberMetadata).userData.toString()) as MemberFacts,
      }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    watched = members.flatMap(({ facts }) => facts.topics);
    const topics = matching(await brokers.refresh(null), watched);
    assignedShape = shapeOf(topics);
    const owners = new Map(
      members.flatMap(({ id, facts }) =>
        facts.owned.map(({ topic, partition }) => [`${topic}/${partition}`, id] as const),
      ),
    );
    const partitions = topics.flatMap(({ topic, partitions: list }) =>
      list.map((_, partition) => ({ topic, partition })),
    );
    const given = assign(
      partitions.map(({ topic, partition }) => ({
        candidates: members.filter(({ facts }) => matches(topic, facts.topics)).map(({ id }) => id),
        current: owners.get(`${topic}/${partition}`) ?? null,
      })),
    );
    return members.map(({ id }) => {
      const assignment: Record<string, number[]> = {};
      for (const [index, { topic, partition }] of partitions.entries()) {
        if (given[index] !== id) continue;
        const name = wireName(topic);
        assignment[name] ??= [];
        assignment[name].push(partition);
      }
      return { memberId: id, memberAssignment: MemberAssignment.encode({ version: 0, assignment }) };
    });
  };

  /** Committed offsets; partitions without one get theirs now, so that whoever has them later begins there too. */
  const positions = async (
    link: Link,
    mine: readonly { topic: string; partition: number }[],
  ): Promise<Assigned[]> => {
    if (mine.length === 0) return [];
    const topics = [...Map.groupBy(mine, ({ topic }) => topic)].map(([topic, parts]) => ({
      topic: wireName(topic),
      partitions: parts.map(({ partition }) => ({ partition })),
    }));
    const answer = await link.call((broker) => broker.offsetFetch({ groupId, topics }));
    const committed = new Map<string, number>(
      answer.responses.flatMap(({ topic, partitions }) =>
        partitions.map(
          ({ partition, offset }) => [`${hubName(topic)}/${partition}`, Number(offset)] as const,
        ),
      ),
    );
    const without = mine.filter(({ topic, partition }) => (committed.get(`${topic}/${partition}`) ?? -1) < 0);
    const named = new Set(without.map(({ topic }) => topic));
    const starts =
      without.length === 0
        ? new Map<string, { start: number }>()
        : await known(
            brokers,
            (await brokers.refresh([...named])).topics.filter(({ error }) => error === 0),
          );
    return mine.map(({ topic, partition }) => {
      const key = `${topic}/${partition}`;
      const stored = committed.get(key) ?? -1;
      if (stored >= 0) return { topic, partition, position: stored };
      const position = begin?.get(key) ?? starts.get(key)?.start ?? 0;
      commits.add(topic, partition, position);
      return { topic, partition, position };
    });
  };

  /** Keeps the membership alive; returns when the group must be joined again. */
  const hold = async (): Promise<void> => {
    let lookedAt = performance.now();
    for (;;) {
      await bell.wait(Math.min(sessionMs / 4, METADATA_POLL_MS));
      if (left || !generation) return;
      try {
        await beat();
        if (isLeader && (lookNow || performance.now() - lookedAt >= METADATA_POLL_MS)) {
          lookNow = false;
          lookedAt = performance.now();
          if (shapeOf(matching(await brokers.refresh(null), watched)) !== assignedShape) return;
        }
      } catch (error) {
        const code = codeOf(error);
        if (code === CODE.REBALANCE_IN_PROGRESS) return;
        if (code === CODE.UNKNOWN_MEMBER_ID) memberId = '';
        if (code === CODE.UNKNOWN_MEMBER_ID || code === CODE.ILLEGAL_GENERATION) return fenced();
        coordinator = null;
        if (!left) onFailure(error);
        await bell.wait(RETRY_MS);
      }
    }
  };
  const beat = async (): Promise<void> => {
    if (!generation) return;
    const { id, memberId: member } = generation;
    const link = await find();
    await link.call((broker) => broker.heartbeat({ groupId, groupGenerationId: id, memberId: member }));
    const lapsed = performance.now() - heard >= sessionMs;
    heard = performance.now();
    if (lapsed) consumer?.resume();
  };
  /** Handlers may take longer than a session: the member stays alive while it waits for them. */
  const release = async (host: SubscriptionHost): Promise<void> => {
    const alive = setInterval(() => {
      beat().catch((error: unknown) => {
        const code = codeOf(error);
        if (code === CODE.UNKNOWN_MEMBER_ID || code === CODE.ILLEGAL_GENERATION) fenced();
        else if (code === CODE.REBALANCE_IN_PROGRESS) heard = performance.now();
      });
    }, sessionMs / 4);
    try {
      await host.revoke();
    } finally {
      clearInterval(alive);
    }
  };

  return {
    async run(host) {
      consumer = host;
      while (!left) {
        try {
          joining = true;
          await join(host).finally(() => {
            joining = false;
          });
          await hold();
        } catch (error) {
          if (left) break;
          const code = codeOf(error);
          if (code === CODE.UNKNOWN_MEMBER_ID) memberId = '';
          else if (code === null || code === CODE.NOT_COORDINATOR) coordinator = null;
          if (code !== CODE.REBALANCE_IN_PROGRESS) {
            // The very first group of a cluster waits until Kafka has made its topic of offsets.
            if (code === null || !COORDINATOR_MOVES.has(code)) onFailure(error);
            coordinator = null;
            await bell.wait(RETRY_MS);
          }
        }
        if (!left) await release(host);
      }
    },
    commit: (topic, partition, offset) => commits.add(topic, partition, offset),
    flush: (withinMs) => commits.flush(withinMs),
    mayDeliver: () => generation !== null && performance.now() - heard < sessionMs,
    look() {
      lookNow = true;
      bell.ring();
    },
    async leave() {
      left = true;
      bell.ring();
      if (memberId === '') return;
      // A connection on which the answer to a join is awaited carries nothing else.
      const spare = joining ? brokers.spare() : null;
      try {
        const { coordinator: at } = await (await (spare ?? brokers).any()).call((broker) =>
          broker.findGroupCoordinator({ groupId }),
        );
        await (spare ?? brokers).at(at).call((broker) => broker.leaveGroup({ groupId, memberId }));
      } catch (error) {
        // The group finds out by itself when the session has ended.
        logger.debug({ err: error, groupId }, 'kafka: could not leave the group');
      } finally {
        spare?.close();
      }
    },
  };
}
