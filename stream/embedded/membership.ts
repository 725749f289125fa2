import { type Assignable, assign } from '../assign.ts';
import { matches, type TopicPattern } from '../patterns.ts';
import { isAlive } from './liveness.ts';
import { bump, groupRange, type MemberRow, type OwnerRow, readExtent, type Store } from './store.ts';

export interface Member {
  readonly id: string;
  readonly pid: number;
  readonly started: string;
}

export interface Claim {
  readonly topicId: number;
  readonly partition: number;
  readonly claim: number;
}

export interface Owned extends Claim {
  readonly topic: string;
  /** Offset to go on from. */
  readonly position: number;
}

export interface SyncInput {
  readonly group: string;
  readonly member: Member;
  readonly topics: readonly TopicPattern[];
  /** Given at the first sync of a member: where partitions nobody of the group ever had start. */
  readonly startAt?: 'start' | 'end';
  /** Partitions this member has finished with and gives back. */
  readonly release: readonly Claim[];
}

export interface Synced {
  /** Everything the member owns now, including what it must give back: that is in `revoked` too. */
  readonly owned: readonly Owned[];
  readonly revoked: readonly Claim[];
}

type Partition = { topic: string; topicId: number; partition: number; path: [string, number, number] };

/**
 * One step of a group's life, within a write transaction: enters the member (again), takes back what it
 * releases, drops members whose process is gone, assigns partitions, and lets the member claim those that
 * are assigned to it and that nobody owns. A partition that moves is claimed only after its former owner
 * has released it or died, so that it never has two.
 */
export function sync(store: Store, input: SyncInput): Synced {
  const { group, member } = input;
  let changed = false;
  const touched = (): void => {
    changed = true;
  };
  if (store.members.get([group, member.id]) === undefined) {
    const row: MemberRow = { pid: member.pid, started: member.started, topics: input.topics };
    store.members.putSync([group, member.id], row);
    touched();
  }
  for (const { topicId, partition, claim } of input.release) {
    const path = [group, topicId, partition];
    const row = store.owners.get(path);
    if (row?.owner !== member.id || row.claim !== claim) continue;
    store.owners.putSync(path, { ...row, owner: null });
    touched();
  }
  const members = liveMembers(store, group, touched);
  const partitions = subscribed(store, group, members);
  if (input.startAt === 'end') pinEnds(store, partitions, input.topics);
  const rows = rebalance(store, partitions, members, touched);

  const owned: Owned[] = [];
  const revoked: Claim[] = [];
  for (const [index, { topic, topicId, partition, path }] of partitions.entries()) {
    let row = rows[index]!;
    if (row.target === member.id && row.owner === null) {
      row = { ...row, owner: member.id, claim: bump(store, 'claim') };
      store.owners.putSync(path, row);
      if (store.commits.get(path) === undefined) {
        store.commits.putSync(path, readExtent(store, topicId, partition).start);
      }
    }
    if (row.owner !== member.id) continue;
    owned.push({ topic, topicId, partition, claim: row.claim, position: store.commits.get(path) ?? 0 });
    if (row.target !== member.id) revoked.push({ topicId, partition, claim: row.claim });
  }
  if (changed) bump(store, 'groups');
  return { owned, revoked };
}

/** Takes a member and everything it owns out of its group, within a write transaction. Idempotent. */
export function leave(store: Store, group: string, member: Member): null {
  if (store.members.removeSync([group, member.id])) bump(store, 'groups');
  for (const { key, value } of [...store.owners.getRange(groupRange(group))]) {
    if (value.owner !== member.id && value.target !== member.id) continue;
    store.owners.putSync(key, {
      claim: value.claim,
      owner: value.owner === member.id ? null : value.owner,
      target: value.target === member.id ? null : value.target,
    });
  }
  return null;
}

function liveMembers(store: Store, group: string, touched: () => void): Map<string, MemberRow> {
  const live = new Map<string, MemberRow>();
  for (const { key, value } of [...store.members.getRange(groupRange(group))]) {
    if (isAlive(value)) live.set(String(key[1]), value);
    else {
      store.members.removeSync(key);
      touched();
    }
  }
  return live;
}

/** The partitions any member wants, in the order of topic names. */
function subscribed(store: Store, group: string, members: ReadonlyMap<string, MemberRow>): Partition[] {
  const patterns = [...members.values()].flatMap((row) => row.topics);
  const partitions: Partition[] = [];
  for (const { key: topic, value: row } of store.topics.getRange({})) {
    if (!matches(topic, patterns)) continue;
    for (let partition = 0; partition < row.partitions; partition += 1) {
      partitions.push({ topic, topicId: row.id, partition, path: [group, row.id, partition] });
    }
  }
  return partitions;
}

function pinEnds(store: Store, partitions: readonly Partition[], topics: readonly TopicPattern[]): void {
  for (const { topic, topicId, partition, path } of partitions) {
    if (!matches(topic, topics) || store.commits.get(path) !== undefined) continue;
    store.commits.putSync(path, readExtent(store, topicId, partition).end);
  }
}

function rebalance(
  store: Store,
  partitions: readonly Partition[],
  members: ReadonlyMap<string, MemberRow>,
  touched: () => void,
): OwnerRow[] {
  const before = partitions.map(({ path }) => store.owners.get(path));
  const candidates = new Map<string, string[]>();
  const assignables = partitions.map(({ topic }, index): Assignable => {
    const known = candidates.get(topic);
    const able = known ?? [...members].filter(([, row]) => matches(topic, row.topics)).map(([id]) => id);
    if (known === undefined) candidates.set(topic, able);
    return { candidates: able, current: before[index]?.target ?? null };
  });
  const targets = assign(assignables);
  return partitions.map(({ path }, index) => {
    const old = before[index];
    const owner = old?.owner ?? null;
    const row: OwnerRow = {
      target: targets[index] ?? null,
      owner: owner !== null && members.has(owner) ? owner : null,
      claim: old?.claim ?? 0,
    };
    if (old === undefined || old.target !== row.target || old.owner !== row.owner) {
      store.owners.putSync(path, row);
      touched();
    }
    return row;
  });
}
