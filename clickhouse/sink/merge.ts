import { parseRawField, rawField } from '../types/index.ts';
import type { Plan } from './plan.ts';
import { type Rows, systemField } from './rows.ts';

/** Takes some fields of a row from another version of it, with their `_raw` entries. Fields are latin1 text. */
export function mergeFields(
  rows: Rows,
  row: number,
  from: readonly string[],
  holes: readonly number[],
  plan: Plan,
): void {
  const fields = rows.fields(row);
  const at = systemField(plan.width).raw;
  for (const hole of holes) fields[hole] = from[hole]!;
  if (from[at] !== '{}') {
    const known = parseRawField(from[at]!);
    const raw = parseRawField(fields[at]!);
    for (const column of plan.columns) {
      const text = holes.includes(column.target) ? known.get(latin1(column.rawName)) : undefined;
      if (text !== undefined) raw.set(latin1(column.rawName), text);
    }
    fields[at] = rawField(raw);
  }
  rows.rewrite(row, fields);
}

const latin1 = (name: string): string => Buffer.from(name).toString('latin1');
