import { readHeader } from './codec.ts';
import {
  batchKey,
  decodeExtent,
  type Extent,
  offsetOfKey,
  partitionKey,
  partitionOfKey,
  type Store,
  type TopicRow,
  writeExtent,
} from './store.ts';

/** Batches removed in one transaction: keeps the write lock short. */
const PER_TRANSACTION = 128;

export interface Retained {
  readonly batches: number;
  readonly more: boolean;
}

/**
 * Deletes whole batches from the front of partitions: those older than `retentionMs`, and as many as leave
 * at least `retentionBytes`. The newest batch goes only by age. Bounded per call; `more` asks for another one.
 */
export function retain(store: Store, now: number): Retained {
  let left = PER_TRANSACTION;
  for (const { value: row } of store.topics.getRange({})) {
    if (row.retentionMs === undefined && row.retentionBytes === undefined) continue;
    for (let partition = 0; partition < row.partitions && left > 0; partition += 1) {
      left -= trim(store, row, partition, now, left);
    }
    if (left <= 0) return { batches: PER_TRANSACTION, more: true };
  }
  return { batches: PER_TRANSACTION - left, more: false };
}

function trim(store: Store, row: TopicRow, partition: number, now: number, most: number): number {
  const value = store.extents.get(partitionKey(row.id, partition));
  if (value === undefined) return 0;
  const before = decodeExtent(value);
  let extent: Extent = before;
  let removed = 0;
  while (removed < most && extent.start < extent.end) {
    const key = batchKey(row.id, partition, extent.start);
    const stored = store.batches.get(key);
    if (stored === undefined) break;
    const { count, appendedAt } = readHeader(stored);
    const tooOld = row.retentionMs !== undefined && appendedAt + row.retentionMs < now;
    const tooMuch = row.retentionBytes !== undefined && extent.bytes - stored.length >= row.retentionBytes;
    if (!tooOld && !tooMuch) break;
    store.batches.removeSync(key);
    extent = { start: extent.start + count, end: extent.end, bytes: extent.bytes - stored.length };
    removed += 1;
  }
  if (removed > 0) writeExtent(store, row.id, partition, extent);
  return removed;
}

/** Removes batches, extents, commits and ownership of deleted topics, bounded per call; true while there is more. */
export function clearTopic(store: Store): boolean {
  for (const id of store.trash.getKeys({})) {
    const range = { start: batchKey(id, 0, 0), end: batchKey(id + 1, 0, 0) };
    const keys = [...store.batches.getKeys({ ...range, limit: PER_TRANSACTION })];
    for (const key of keys) store.batches.removeSync(batchKey(id, partitionOfKey(key), offsetOfKey(key)));
    if (keys.length === PER_TRANSACTION) return true;
    const extents = [...store.extents.getKeys({ start: partitionKey(id, 0), end: partitionKey(id + 1, 0) })];
    for (const key of extents) store.extents.removeSync(partitionKey(id, partitionOfKey(key)));
    for (const db of [store.owners, store.commits]) {
      for (const path of [...db.getKeys({})]) if (path[1] === id) db.removeSync(path);
    }
    store.trash.removeSync(id);
    return true;
  }
  return false;
}
