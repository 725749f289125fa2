import type { Appended, TopicConfig } from '#kernel';
import type { Member, Synced, SyncInput } from './membership.ts';
import { leave, sync } from './membership.ts';
import { clearTopic, type Retained, retain } from './retention.ts';
import { batchKey, bump, readExtent, type Store, type TopicRow, writeExtent } from './store.ts';

/** A refusal that is the caller's to hear; anything else thrown in a transaction is a failure of the storage. */
export class Refusal extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface SealedBatch {
  readonly topic: string;
  readonly partition: number;
  readonly values: readonly { readonly count: number; readonly stored: Buffer }[];
}

export type Operation =
  | { readonly type: 'append'; readonly batches: readonly SealedBatch[] }
  | { readonly type: 'ensureTopic'; readonly topic: string; readonly config: TopicConfig }
  | { readonly type: 'deleteTopic'; readonly topic: string }
  | { readonly type: 'clear' }
  | { readonly type: 'retain'; readonly now: number }
  | { readonly type: 'sync'; readonly input: SyncInput }
  | { readonly type: 'leave'; readonly group: string; readonly member: Member }
  | {
      readonly type: 'commit';
      readonly group: string;
      readonly topicId: number;
      readonly partition: number;
      readonly member: string;
      readonly claim: number;
      readonly offset: number;
    };

export interface Results {
  append: Appended[];
  ensureTopic: null;
  deleteTopic: null;
  /** True while there is more to remove. */
  clear: boolean;
  retain: Retained;
  sync: Synced;
  leave: null;
  /** False: the partition belongs to somebody else by now, nothing was committed. */
  commit: boolean;
}

/** Carries one operation out, within a write transaction. Refuses before it writes anything. */
export function perform(store: Store, operation: Operation): Results[Operation['type']] {
  switch (operation.type) {
    case 'append':
      return append(store, operation.batches);
    case 'ensureTopic':
      return ensureTopic(store, operation.topic, operation.config);
    case 'deleteTopic':
      return deleteTopic(store, operation.topic);
    case 'clear':
      return clearTopic(store);
    case 'retain':
      return retain(store, operation.now);
    case 'sync':
      return sync(store, operation.input);
    case 'leave':
      return leave(store, operation.group, operation.member);
    case 'commit': {
      const path = [operation.group, operation.topicId, operation.partition];
      const row = store.owners.get(path);
      if (row?.owner !== operation.member || row.claim !== operation.claim) return false;
      store.commits.putSync(path, operation.offset);
      return true;
    }
  }
}

function append(store: Store, batches: readonly SealedBatch[]): Appended[] {
  const rows = batches.map(({ topic, partition }) => {
    const row = store.topics.get(topic);
    if (row === undefined) throw new Refusal('LOG_TOPIC_UNKNOWN', `Topic ${topic} does not exist.`);
    if (!Number.isInteger(partition) || partition < 0 || partition >= row.partitions) {
      throw new Refusal(
        'LOG_PARTITION_UNKNOWN',
        `Topic ${topic} has partitions 0 to ${row.partitions - 1}, not ${partition}.`,
      );
    }
    return row;
  });
  const result = batches.map(({ topic, partition, values }, index): Appended => {
    const { id } = rows[index]!;
    let { start, end, bytes } = readExtent(store, id, partition);
    for (const { count, stored } of values) {
      store.batches.putSync(batchKey(id, partition, end), stored);
      end += count;
      bytes += stored.length;
    }
    if (values.length > 0) writeExtent(store, id, partition, { start, end, bytes });
    return { topic, partition, end };
  });
  if (batches.some(({ values }) => values.length > 0)) bump(store, 'appends');
  return result;
}

function ensureTopic(store: Store, topic: string, config: TopicConfig): null {
  const old = store.topics.get(topic);
  const row: TopicRow = {
    id: old?.id ?? bump(store, 'topicId'),
    partitions: Math.max(old?.partitions ?? 1, config.partitions),
    ...(config.retentionMs === undefined ? {} : { retentionMs: config.retentionMs }),
    ...(config.retentionBytes === undefined ? {} : { retentionBytes: config.retentionBytes }),
  };
  if (old !== undefined && JSON.stringify(old) === JSON.stringify(row)) return null;
  store.topics.putSync(topic, row);
  bump(store, 'catalog');
  return null;
}

function deleteTopic(store: Store, topic: string): null {
  const row = store.topics.get(topic);
  if (row === undefined) return null;
  store.topics.removeSync(topic);
  store.trash.putSync(row.id, true);
  bump(store, 'catalog');
  return null;
}
