import type { ConsumeOptions } from '#kernel';
import { matches } from '../patterns.ts';
import type { Catalog } from './catalog.ts';
import { isAlive, thisProcess } from './liveness.ts';
import type { Claim, Owned, Synced } from './membership.ts';
import { groupRange, readExtent, type Store } from './store.ts';
import type { Writer } from './writer.ts';

/** What a consumer may deliver: the member of a group, or a broadcast reader that shares with nobody. */
export interface Subscription {
  /** Gives back what is released and tells what is owned; called again after every change of topics or members. */
  sync(released: readonly Claim[]): Promise<Synced>;
  commit(claim: Claim, offset: number): Promise<boolean>;
  hasDeadMembers(): boolean;
  leave(): Promise<void>;
}

let members = 0;

export function joinGroup(
  store: Store,
  writer: Writer,
  group: string,
  options: Pick<ConsumeOptions, 'topics' | 'from'>,
): Subscription {
  const self = thisProcess();
  members += 1;
  const member = { ...self, id: `${self.pid}-${self.started.slice(-12)}-${members}` };
  let startAt: 'start' | 'end' | undefined = options.from ?? 'start';
  return {
    async sync(release) {
      const synced = await writer.perform({
        type: 'sync',
        input: {
          group,
          member,
          topics: options.topics,
          release,
          ...(startAt === undefined ? {} : { startAt }),
        },
      });
      startAt = undefined;
      return synced;
    },
    commit: (claim, offset) => writer.perform({ type: 'commit', group, member: member.id, ...claim, offset }),
    hasDeadMembers: () => {
      store.root.resetReadTxn();
      return [...store.members.getRange(groupRange(group))].some(
        ({ key, value }) => key[1] !== member.id && !isAlive(value),
      );
    },
    async leave() {
      await writer.perform({ type: 'leave', group, member });
    },
  };
}

/** Every matching partition; positions live in memory only. */
export function broadcast(
  store: Store,
  catalog: Catalog,
  options: Pick<ConsumeOptions, 'topics' | 'from'>,
): Subscription {
  const known = new Map<string, Owned>();
  let from = options.from ?? 'start';
  return {
    async sync() {
      store.root.resetReadTxn();
      const owned: Owned[] = [];
      for (const [topic, row] of catalog.topics()) {
        if (!matches(topic, options.topics)) continue;
        for (let partition = 0; partition < row.partitions; partition += 1) {
          const id = `${row.id}/${partition}`;
          let one = known.get(id);
          if (one === undefined) {
            const extent = readExtent(store, row.id, partition);
            one = { topic, topicId: row.id, partition, claim: 0, position: extent[from] };
            known.set(id, one);
          }
          owned.push(one);
        }
      }
      from = 'start';
      return { owned, revoked: [] };
    },
    commit: async () => true,
    hasDeadMembers: () => false,
    leave: async () => undefined,
  };
}
