import type { Logger } from '#kernel';
import type { Link } from './brokers.ts';
import { CODE, codeOf } from './errors.ts';
import { wireName } from './names.ts';

export interface Generation {
  readonly id: number;
  readonly memberId: string;
}

export interface CommitsHost {
  readonly groupId: string;
  coordinator(): Promise<Link>;
  /** The coordinator is another broker now, or was lost. */
  moved(): void;
  /** The membership under which partitions are held now; null = none. */
  generation(): Generation | null;
  /** The group goes on without this member: what it would commit is not its own any more. */
  fenced(): void;
}

export interface Commits {
  add(topic: string, partition: number, offset: number): void;
  drop(): void;
  flush(withinMs: number): Promise<void>;
}

interface Commit {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

const FIRST_BACK_OFF_MS = 50;
const LAST_BACK_OFF_MS = 1000;
const FENCED: ReadonlySet<number> = new Set([
  CODE.ILLEGAL_GENERATION,
  CODE.UNKNOWN_MEMBER_ID,
  CODE.FENCED_INSTANCE_ID,
]);

/** Commits what has come while the last request was under way: one request at a time, always the newest offsets. */
export function createCommits(logger: Logger, host: CommitsHost): Commits {
  const pending = new Map<string, Commit>();
  let running = false;
  let failures = 0;
  let idle: (() => void)[] = [];

  const store = async (commits: readonly Commit[]): Promise<void> => {
    const generation = host.generation();
    if (!generation) return;
    const topics = [...Map.groupBy(commits, ({ topic }) => topic)].map(([topic, parts]) => ({
      topic: wireName(topic),
      partitions: parts.map(({ partition, offset }) => ({ partition, offset: String(offset) })),
    }));
    const link = await host.coordinator();
    await link.call((broker) =>
      broker.offsetCommit({
        groupId: host.groupId,
        groupGenerationId: generation.id,
        memberId: generation.memberId,
        topics,
      }),
    );
  };
  const run = async (): Promise<void> => {
    if (running) return;
    running = true;
    while (pending.size > 0) {
      const taken = [...pending];
      pending.clear();
      try {
        await store(taken.map(([, commit]) => commit));
        failures = 0;
      } catch (error) {
        const code = codeOf(error);
        if (code !== null && FENCED.has(code)) {
          host.fenced();
        } else if (code === CODE.UNKNOWN_TOPIC_OR_PARTITION) {
          // A topic was deleted; the offsets of the others are stored.
          logger.debug({ groupId: host.groupId }, 'kafka: a topic with a commit under way is gone');
        } else {
          host.moved();
          for (const [key, commit] of taken) if (!pending.has(key)) pending.set(key, commit);
          failures += 1;
          logger.debug({ err: error, groupId: host.groupId }, 'kafka: commit failed, is tried again');
          const pause = Math.min(LAST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** Math.min(failures - 1, 6));
          await new Promise((resolve) => setTimeout(resolve, pause));
        }
      }
    }
    running = false;
    for (const wake of idle) wake();
    idle = [];
  };
  return {
    add(topic, partition, offset) {
      pending.set(`${topic}/${partition}`, { topic, partition, offset });
      void run();
    },
    drop: () => pending.clear(),
    flush: (withinMs) =>
      running
        ? new Promise((resolve) => {
            const timer = setTimeout(resolve, withinMs);
            idle.push(() => {
              clearTimeout(timer);
              resolve();
            });
          })
        : Promise.resolve(),
  };
}
