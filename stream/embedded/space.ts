import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
import { dataFile, type Store } from './store.ts';

const PAGE = 4096;
/** Records give way to commits and membership, and these to deletions: to delete, pages must be written first. */
export type Importance = 'records' | 'state' | 'deletion';
const KEPT: Readonly<Record<Importance, number>> = {
  records: 3 * 1024 * 1024,
  state: 1024 * 1024,
  deletion: 0,
};
/** Kept when records can go where deleted ones were, and need room only in case that is too fragmented. */
const KEPT_WHEN_FREE = 2 * 1024 * 1024;
/** The file grows by at least this much. */
const STEP = 4 * 1024 * 1024;
const ZEROS = Buffer.alloc(256 * 1024);

interface Stats {
  readonly lastPageNumber: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
  readonly free: Omit<Stats, 'free' | 'lastPageNumber'>;
}

/**
 * Makes sure that a transaction finds room before it begins to write: LMDB does not get over a disk that fills up
 * in the middle of one. Call within a write transaction, before its first write.
 */
export interface Space {
  /**
   * True when `bytes` can be written and room is left for what is more important: the file reaches that far
   * beyond its last used page, in real blocks.
   */
  ensure(bytes: number, importance: Importance): boolean;
  close(): void;
}

export function openSpace(store: Store, dir: string): Space {
  const fd = openSync(dataFile(dir), 'r+');
  const databases = Object.values(store) as { getStats(): object }[];
  const stats = (): Stats => store.root.getStats() as Stats;
  const pages = (one: Omit<Stats, 'free' | 'lastPageNumber'>): number =>
    one.treeBranchPageCount + one.treeLeafPageCount + one.overflowPages;

  /** Pages that deleted data has left behind; some may still be held by readers, hence the margin where it is used. */
  const freeBytes = (last: Stats): number => {
    const used = databases.reduce((sum, db) => sum + pages(db.getStats() as Stats), pages(last.free));
    return Math.max(0, last.lastPageNumber - used) * PAGE;
  };
  const extend = (from: number, to: number): number => {
    let at = from;
    try {
      while (at < to) at += writeSync(fd, ZEROS, 0, Math.min(ZEROS.length, to - at), at);
    } catch {
      // The disk is full or the file may not grow: what there is decides.
    }
    return at;
  };

  return {
    ensure(bytes, importance) {
      const last = stats();
      const used = (last.lastPageNumber + 1) * PAGE;
      const wanted = used + bytes + KEPT[importance];
      let size = fstatSync(fd).size;
      if (size < wanted) size = extend(size, wanted + STEP);
      if (size >= wanted || importance === 'deletion') return true;
      if (importance === 'state' || size < used + bytes + KEPT_WHEN_FREE) return false;
      return freeBytes(last) >= 2 * bytes + KEPT_WHEN_FREE;
    },
    close: () => closeSync(fd),
  };
}

/** What a stored batch may take at most, pages of the tree above it included. */
export const roomFor = (stored: number): number => (Math.ceil(stored / PAGE) + 6) * PAGE;
