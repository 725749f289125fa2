import type { Outcome } from '../results/index.ts';
import { type Columns, pivotQuery, transformData } from './native/index.ts';
import type { Plan, PlanPart } from './planner/index.ts';

/** What one part of a plan has given. */
export interface Ran {
  readonly rows: Outcome;
  readonly total: Outcome | null;
}

/** The answer in Cube's format, as JSON. Errors: a member that is hidden. */
export function finished({ parts, multi }: Plan, ran: readonly Ran[]): Buffer {
  const results = parts.map((part, index) => resultOf(part, ran[index]!));
  if (!multi) return bytes(results[0]!);
  const { queryType } = multi;
  const queries = parts.map(({ transform }) => transform.query);
  return bytes({ queryType, results, pivotQuery: pivotQuery(queryType, queries), slowQuery: false });
}

const bytes = (value: object): Buffer => Buffer.from(JSON.stringify(value));

function resultOf({ frame, transform }: PlanPart, { rows, total }: Ran): object {
  return {
    ...frame,
    lastRefreshTime: new Date(rows.readAt).toISOString(),
    total: total ? Number(total.rows[0]![total.names.indexOf('total_count')]) : null,
    data: transformData(transform, columnsOf(rows)),
  };
}

/** By columns; without rows none is known, as Cube has it. */
function columnsOf({ names, rows }: Outcome): Columns {
  if (rows.length === 0) return { members: [], columns: [] };
  return { members: names, columns: names.map((_, index) => rows.map((row) => row[index])) };
}
