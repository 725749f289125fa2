import type { PlanStep } from '../planner/index.ts';

const QUOTED = '"((?:[^"]|"")+)"';
const OBJECT = new RegExp(`${QUOTED}\\.${QUOTED}`);
const SCHEMA = new RegExp(`^(?:CREATE|GRANT|REVOKE)[^"]* SCHEMA ${QUOTED}`);
const plain = (ident: string): string => ident.replaceAll('""', '"');

/** Schema and, unless the step is about the schema itself, the object a step changes. */
export function objectOf({
  sql,
}: PlanStep): { readonly schema: string; readonly name: string | null } | null {
  const schema = SCHEMA.exec(sql);
  if (schema) return { schema: plain(schema[1]!), name: null };
  const object = OBJECT.exec(sql);
  return object ? { schema: plain(object[1]!), name: plain(object[2]!) } : null;
}

/**
 * The steps of a change alone: what was left of other apps before (drops nobody confirmed, say) is not
 * this change's to do. `before`: the plan of what is in force already; `others`: the apps it has besides.
 */
export function ownSteps(
  steps: readonly PlanStep[],
  before: readonly PlanStep[],
  others: ReadonlySet<string>,
): PlanStep[] {
  const left = new Set(before.map(({ sql }) => sql));
  return steps.filter((step) => !left.has(step.sql) || !others.has(objectOf(step)?.schema ?? ''));
}

/** What is lost by a destructive step, in words. */
export function lossOf(step: PlanStep): { loses: string; rollback: string } {
  const { sql } = step;
  if (sql.startsWith('DROP TABLE'))
    return {
      loses: 'All rows of the table. In the warehouse they stay as they were last.',
      rollback: 'Rolling back makes the table anew, empty.',
    };
  if (/ DROP COLUMN /.test(sql))
    return {
      loses: 'The values of the column, in the warehouse too.',
      rollback:
        'Rolling back makes the column anew, empty; if it was required and has no default, not while there are rows.',
    };
  return {
    loses: 'What the new type does not hold. If a value cannot be changed at all, the step fails.',
    rollback: 'Rolling back changes the type back; the values stay as they were cut.',
  };
}
