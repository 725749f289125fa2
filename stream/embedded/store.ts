import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import type { TopicPattern } from '../patterns.ts';

/** A topic as stored; `id` is never used again, so that a re-created topic shares nothing with its forerunner. */
export interface TopicRow {
  readonly id: number;
  readonly partitions: number;
  readonly retentionMs?: number;
  readonly retentionBytes?: number;
}

export interface Extent {
  readonly start: number;
  readonly end: number;
  readonly bytes: number;
}

/** Who a group's partition belongs to: `target` by assignment, `owner` in fact. `claim` fences former owners. */
export interface OwnerRow {
  readonly target: string | null;
  readonly owner: string | null;
  readonly claim: number;
}

export interface MemberRow {
  readonly pid: number;
  /** Start time of the process as the system tells it: a pid used again is recognised. */
  readonly started: string;
  readonly topics: readonly TopicPattern[];
}

type Path = (string | number)[];

/**
 * The LMDB environment. `catalog` grows with every topic created, changed or deleted, `groups` with
 * every change of membership or ownership, `appends` with every appended batch: readers compare them to
 * learn cheaply whether something happened.
 */
export interface Store {
  readonly root: RootDatabase;
  readonly meta: Database<number, string>;
  readonly topics: Database<TopicRow, string>;
  /** Ids of deleted topics whose batches are still to be removed. */
  readonly trash: Database<true, number>;
  readonly extents: Database<Buffer, Buffer>;
  readonly batches: Database<Buffer, Buffer>;
  readonly members: Database<MemberRow, Path>;
  readonly owners: Database<OwnerRow, Path>;
  readonly commits: Database<number, Path>;
}

export type Counter = 'catalog' | 'groups' | 'appends' | 'topicId' | 'claim';

/** Address space, not disk: the file grows as it is written. */
const MAP_BYTES = 2 ** 40;

export const dataFile = (dir: string): string => join(dir, 'log.lmdb');

/** Opens (and creates) the environment in `dir`; every process and thread opens it with the same options. */
export function openStore(dir: string): Store {
  mkdirSync(dir, { recursive: true });
  const root = open({
    path: dataFile(dir),
    mapSize: MAP_BYTES,
    maxDbs: 12,
    maxReaders: 1024,
    // Commits return flushed: the writer thread waits for the disk, nobody else does.
    overlappingSync: false,
  });
  const json = { encoding: 'json' } as const;
  const binary = { encoding: 'binary', keyEncoding: 'binary' } as const;
  return {
    root,
    meta: root.openDB({ name: 'meta', ...json }),
    topics: root.openDB({ name: 'topics', ...json }),
    trash: root.openDB({ name: 'trash', ...json }),
    extents: root.openDB({ name: 'extents', ...binary }),
    batches: root.openDB({ name: 'batches', ...binary }),
    members: root.openDB({ name: 'members', ...json }),
    owners: root.openDB({ name: 'owners', ...json }),
    commits: root.openDB({ name: 'commits', ...json }),
  };
}

export const counter = (store: Store, name: Counter): number => store.meta.get(name) ?? 0;

/** Within a write transaction. */
export function bump(store: Store, name: Counter): number {
  const next = counter(store, name) + 1;
  store.meta.putSync(name, next);
  return next;
}

export function partitionKey(topicId: number, partition: number): Buffer {
  const key = Buffer.allocUnsafe(8);
  key.writeUInt32BE(topicId, 0);
  key.writeUInt32BE(partition, 4);
  return key;
}

export function batchKey(topicId: number, partition: number, offset: number): Buffer {
  const key = Buffer.allocUnsafe(16);
  key.writeUInt32BE(topicId, 0);
  key.writeUInt32BE(partition, 4);
  key.writeUInt32BE(Math.floor(offset / 2 ** 32), 8);
  key.writeUInt32BE(offset % 2 ** 32, 12);
  return key;
}

export const offsetOfKey = (key: Buffer): number => key.readUInt32BE(8) * 2 ** 32 + key.readUInt32BE(12);
export const topicOfKey = (key: Buffer): number => key.readUInt32BE(0);
export const partitionOfKey = (key: Buffer): number => key.readUInt32BE(4);

const EMPTY: Extent = { start: 0, end: 0, bytes: 0 };

export const decodeExtent = (value: Buffer): Extent => ({
  start: value.readDoubleLE(0),
  end: value.readDoubleLE(8),
  bytes: value.readDoubleLE(16),
});

export function readExtent(store: Store, topicId: number, partition: number): Extent {
  const value = store.extents.get(partitionKey(topicId, partition));
  return value === undefined ? EMPTY : decodeExtent(value);
}

/** Within a write transaction. */
export function writeExtent(store: Store, topicId: number, partition: number, extent: Extent): void {
  const value = Buffer.allocUnsafe(24);
  value.writeDoubleLE(extent.start, 0);
  value.writeDoubleLE(extent.end, 8);
  value.writeDoubleLE(extent.bytes, 16);
  store.extents.putSync(partitionKey(topicId, partition), value);
}

/** Key range of everything a group has in a store whose keys start with the group's name. */
export const groupRange = (group: string): { start: Path; end: Path } => ({
  start: [group, 0],
  // Strings sort behind numbers; U+FFFF sorts behind every id.
  end: [group, '\uffff'],
});
