import { computedFields } from './computed.ts';
import { isOwnColumnsOnly, type Typed, usesOf } from './expressions/typed.ts';
import type { EntityModel } from './model.ts';
import type { Apps } from './places.ts';

/**
 * True if a CHECK constraint can hold a rule (its parts: rule, condition): the own row alone decides, and not
 * its state. A transition writes the state before its effects write what the new state asks for, and a
 * CHECK cannot wait: such rules, and those over other rows, are held by the runtime at the end of the transaction.
 */
export function isHeldByDatabase(apps: Apps, entity: EntityModel, parts: readonly Typed[]): boolean {
  if (!parts.every(isOwnColumnsOnly)) return false;
  const moved = movedByState(apps, entity);
  return !parts.some((part) => looksAt(part, moved));
}

/** The column of the state and those of computed fields that follow from it. */
function movedByState(apps: Apps, entity: EntityModel): ReadonlySet<string> {
  const moved = new Set<string>();
  if (!entity.states) return moved;
  moved.add(entity.states.field);
  // In an order in which each follows those it needs.
  for (const { field, typed } of computedFields(apps, entity))
    if (looksAt(typed, moved)) moved.add(field.name);
  return moved;
}

const looksAt = (typed: Typed, columns: ReadonlySet<string>): boolean =>
  [...usesOf(typed).columns].some((column) => columns.has(column));
