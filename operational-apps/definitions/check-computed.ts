import { checkExpression } from './expressions/check.ts';
import { assignment } from './expressions/convert.ts';
import { parseExpression } from './expressions/parse.ts';
import { ExpressionError } from './expressions/tree.ts';
import { type Typed, usesOf } from './expressions/typed.ts';
import { typeOfField } from './expressions/types.ts';
import type { FieldModel } from './field-model.ts';
import type { EntityModel } from './model.ts';
import { type Apps, scopeFor } from './places.ts';
import type { Report } from './problems.ts';

/** Computed fields: of the field's type, over what a write can keep up to date, and not in a circle. */
export function checkComputed(entity: EntityModel, apps: Apps, report: Report): void {
  const needs = new Map<string, readonly string[]>();
  for (const field of entity.fields) {
    if (!('computed' in field) || field.computed === undefined) continue;
    const at = (key: string, message: string): void => report(['fields', field.name, key], message);
    if ('default' in field && field.default !== undefined) at('default', 'a computed field has no default');
    if (field.immutable) at('immutable', 'a computed field follows from others and cannot be immutable');
    const typed = typedComputed(field, field.computed, entity, apps, (message) => at('computed', message));
    if (typed) needs.set(field.name, [...usesOf(typed).columns]);
  }
  for (const name of needs.keys()) {
    const circle = circleFrom(name, needs);
    if (circle)
      report(
        ['fields', name, 'computed'],
        circle.length === 2 ? 'refers to itself' : `computed fields go in a circle: ${circle.join(' -> ')}`,
      );
  }
}

function typedComputed(
  field: FieldModel,
  text: string,
  entity: EntityModel,
  apps: Apps,
  report: (message: string) => void,
): Typed | null {
  try {
    const { typed, problems } = checkExpression(parseExpression(text), scopeFor(apps, entity, 'computed'));
    for (const problem of problems) report(problem);
    if (!typed) return null;
    const fits = assignment(typed, typeOfField(field, entity.app)!);
    if (typeof fits === 'string') report(fits);
    return typed;
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    report(error.message);
    return null;
  }
}

function circleFrom(start: string, needs: ReadonlyMap<string, readonly string[]>): string[] | null {
  const trails = [[start]];
  const seen = new Set<string>();
  for (const trail of trails)
    for (const next of needs.get(trail.at(-1)!) ?? []) {
      if (next === start) return [...trail, start];
      if (!seen.has(next)) trails.push([...trail, next]);
      seen.add(next);
    }
  return null;
}
