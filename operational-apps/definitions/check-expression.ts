import { checkExpression } from './expressions/check.ts';
import { parseExpression } from './expressions/parse.ts';
import { ExpressionError } from './expressions/tree.ts';
import type { Typed } from './expressions/typed.ts';
import { BOOLEAN, type Type } from './expressions/types.ts';
import type { EntityModel } from './model.ts';
import { type Apps, type Extra, type Place, scopeFor } from './places.ts';
import type { Report } from './problems.ts';

export interface ExpressionReport {
  readonly apps: Apps;
  readonly entity: EntityModel;
  readonly report: Report;
}

/** Types an expression and reports what is wrong at its path. `wanted` null: of any type. */
export function expressionAt(
  { apps, entity, report }: ExpressionReport,
  text: string,
  path: readonly PropertyKey[],
  place: Place,
  extra?: Extra,
  wanted: Type | null = BOOLEAN,
): Typed | null {
  try {
    const scope = scopeFor(apps, entity, place, extra);
    const { typed, problems } = checkExpression(parseExpression(text), scope, wanted ?? undefined);
    for (const problem of problems) report(path, problem);
    return typed;
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    report(path, error.message);
    return null;
  }
}
