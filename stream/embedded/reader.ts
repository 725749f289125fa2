import { HubError, type StoredRecord } from '#kernel';
import { unseal } from './codec.ts';
import { batchKey, offsetOfKey, type Store } from './store.ts';

/** Position of a reader within one partition. */
export interface Cursor {
  readonly topic: string;
  readonly topicId: number;
  readonly partition: number;
  position: number;
  /** Rest of a stored batch that was delivered in part only. */
  leftover: readonly StoredRecord[];
}

export interface Bounds {
  readonly records: number;
  readonly bytes: number;
}

const sizeOf = (record: StoredRecord): number => (record.key?.length ?? 0) + (record.value?.length ?? 0);

/**
 * Records from the cursor's position on, at least one if there is any, within `bounds`; empty at the end.
 * Does not move the cursor. The caller has taken care that the position is not before the partition's start.
 * Throws LOG_CORRUPT when a stored batch is damaged or missing.
 */
export function readFrom(store: Store, cursor: Cursor, bounds: Bounds): readonly StoredRecord[] {
  const result: StoredRecord[] = [];
  let bytes = 0;
  let position = cursor.position;
  let source = skipTo(cursor.leftover, position);
  cursor.leftover = [];
  for (;;) {
    if (source.length === 0) source = load(store, cursor, position);
    if (source.length === 0) return result;
    for (let index = 0; index < source.length; index += 1) {
      const record = source[index]!;
      const next = bytes + sizeOf(record);
      if (result.length > 0 && (result.length >= bounds.records || next > bounds.bytes)) {
        cursor.leftover = index === 0 ? source : source.slice(index);
        return result;
      }
      result.push(record);
      bytes = next;
    }
    position = result.at(-1)!.offset + 1;
    if (result.length >= bounds.records || bytes >= bounds.bytes) return result;
    source = [];
  }
}

/** After a failed handler the position has not moved: what was left over starts too late and is read again. */
function skipTo(records: readonly StoredRecord[], position: number): readonly StoredRecord[] {
  const first = records[0]?.offset;
  if (first === undefined || first > position) return [];
  return first === position ? records : records.slice(position - first);
}

/** Records of the stored batch that holds `position`, from there on; empty when there is none. */
function load(store: Store, cursor: Cursor, position: number): readonly StoredRecord[] {
  const { topicId, partition } = cursor;
  let base = position;
  let stored = store.batches.get(batchKey(topicId, partition, position));
  if (stored === undefined) {
    // `position` lies within a batch: the nearest key at or before it.
    const range = {
      start: batchKey(topicId, partition, position),
      end: batchKey(topicId, partition, 0),
      reverse: true,
      inclusiveEnd: true,
      limit: 1,
    };
    for (const { key, value } of store.batches.getRange(range)) [base, stored] = [offsetOfKey(key), value];
  }
  if (stored === undefined) return [];
  try {
    return skipTo(unseal(stored, base), position);
  } catch (cause) {
    throw new HubError(
      'LOG_CORRUPT',
      `The batch of ${cursor.topic} partition ${partition} at offset ${base} is damaged: ${(cause as Error).message}.`,
      { next: 'Restore the log folder from a backup, or reset the topic.', cause },
    );
  }
}
