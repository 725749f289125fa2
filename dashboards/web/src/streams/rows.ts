import type { Status, TableStatus } from '../api/types.ts';

export interface TableRow extends TableStatus {
  readonly id: string;
  readonly source: string;
  readonly paused: boolean;
}

export const flatten = (status: Status): TableRow[] =>
  status.sources.flatMap((source) =>
    source.tables.map((table) => ({
      ...table,
      id: `${source.name}.${table.schema}.${table.table}`,
      source: source.name,
      paused: source.state === 'paused',
    })),
  );

export const SORTS = {
  table: (row: TableRow) => row.id,
  state: (row: TableRow) => row.state,
  rows: (row: TableRow) => row.rows,
  bytes: (row: TableRow) => row.bytes,
  freshness: (row: TableRow) => row.freshnessMs,
  rate: (row: TableRow) => row.rowsPerSecond,
  waiting: (row: TableRow) => row.lagEvents,
  dead: (row: TableRow) => row.deadLetters,
} as const;

export type SortKey = keyof typeof SORTS;

/** Sorted copy; unknown values last in either direction, ties by name so that rows do not jump. */
export function sortRows(rows: readonly TableRow[], key: SortKey, descending: boolean): TableRow[] {
  const pick = SORTS[key];
  return [...rows].sort((a, b) => {
    const [left, right] = [pick(a), pick(b)];
    if (left === null || right === null)
      return left === right ? a.id.localeCompare(b.id) : left === null ? 1 : -1;
    const order =
      typeof left === 'string' ? left.localeCompare(String(right)) : (left as number) - (right as number);
    return (descending ? -order : order) || a.id.localeCompare(b.id);
  });
}

export type Scope = 'all' | 'attention' | 'snapshot';

export const inScope = (row: TableRow, scope: Scope): boolean =>
  scope === 'all' ||
  (scope === 'snapshot'
    ? row.state === 'snapshotting' || row.state === 'pending'
    : row.error !== null || row.deadLetters > 0 || ['failed', 'unsupported', 'dropped'].includes(row.state));
