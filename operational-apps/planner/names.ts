import { createHash } from 'node:crypto';
import type { ConstraintModel } from './table-model.ts';

const SUFFIX = { unique: 'key', check: 'check', foreign: 'fkey' } as const;

/** A constraint named by what it says. `said` instead of its definition where that does not say it all. */
export function named(
  table: string,
  label: string,
  kind: ConstraintModel['kind'],
  definition: string,
  said = definition,
): ConstraintModel {
  return { name: hashed(`${table}_${label}_${SUFFIX[kind]}`, said), kind, definition };
}

/** PostgreSQL keeps 63 bytes of a name; the hash is of the definition, so that a change of it shows in the name. */
export function hashed(base: string, definition: string): string {
  const hash = createHash('sha256').update(`${base}:${definition}`).digest('hex').slice(0, 8);
  return `${base.slice(0, 54)}_${hash}`;
}

/** True for names that `hashed` gave: only those are the planner's to drop. */
export const isOurs = (name: string): boolean => /_[0-9a-f]{8}$/.test(name);
