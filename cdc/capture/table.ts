import { type StreamPosition, type TableId, type TableSchema, topicOf } from '#kernel';
import type { TableEncoder } from '../events/index.ts';
import type { Relation } from '../pgoutput/index.ts';

/** What capture knows of one table while a session runs. */
export interface CapturedTable {
  readonly id: TableId;
  readonly topic: string;
  /** Over which its keys are spread: those the topic had when its generation began. */
  partitions: number;
  generation: number;
  /** Shapes since the newest snapshot, oldest first; empty for a table that never was captured. */
  versions: TableSchema[];
  /** Failed, unsupported: its changes are skipped until it begins anew. */
  muted: boolean;
  /** When it failed, by the monotonic clock; null = it did not. */
  failedAt: number | null;
  /** Its routes, to be resolved anew when the table begins anew. */
  readonly routes: Set<Route>;
}

/** Way of one relation (by OID) of the stream into its table. */
export interface Route {
  readonly oid: number;
  relation: Relation;
  /** False until its table has been looked for. */
  known: boolean;
  /** null = not captured (not asked for, or gone). */
  table: CapturedTable | null;
  /** null = not yet resolved for the position at hand. */
  encoder: TableEncoder | null;
  /** Transactions committed later than this have a newer shape. */
  until: number;
}

export const newTable = (id: TableId, partitions: number): CapturedTable => ({
  id,
  topic: topicOf(id),
  partitions,
  generation: 0,
  versions: [],
  muted: false,
  failedAt: null,
  routes: new Set(),
});

const START: StreamPosition = { commit: 0, change: 0, snapshot: true };

export const sinceOf = (schema: TableSchema): StreamPosition => schema.since ?? START;

/** True if the snapshot already contains what was committed at `commit`. */
export function precedes(table: CapturedTable, commit: number): boolean {
  const first = table.versions[0];
  return first !== undefined && commit < sinceOf(first).commit;
}

/** Index of the shape that rows at this position have: the newest that begins at or before it. */
export function shapeAt(table: CapturedTable, commit: number, change: number): number {
  for (let index = table.versions.length - 1; index > 0; index -= 1) {
    const since = sinceOf(table.versions[index]!);
    if (since.commit < commit || (since.commit === commit && since.change <= change)) return index;
  }
  return 0;
}
