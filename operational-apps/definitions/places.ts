import { checkExpression } from './expressions/check.ts';
import { parseExpression } from './expressions/parse.ts';
import type { Scope, Variable } from './expressions/scope.ts';
import { ExpressionError } from './expressions/tree.ts';
import type { Typed } from './expressions/typed.ts';
import { BOOLEAN, TEXT, type Type } from './expressions/types.ts';
import type { FieldModel } from './field-model.ts';
import type { App, EntityModel } from './model.ts';

export type Apps = ReadonlyMap<string, App>;

export const byName = (apps: readonly App[]): Apps => new Map(apps.map((app) => [app.name, app]));

/**
 * Where an expression stands, which decides what it may speak of. `operation`: guards, effects and
 * conditions of what a principal does; `time`: of what the clock does.
 */
export type Place =
  | 'computed'
  | 'check'
  | 'visibleIf'
  | 'requiredIf'
  | 'where'
  | 'filter'
  | 'operation'
  | 'time';

/** Variables of one place besides the principal's. */
export interface Extra {
  /** `$input` */
  readonly input?: readonly FieldModel[];
  /** `$old`: the record before the operation. */
  readonly old?: boolean;
  /** `$each` */
  readonly each?: EntityModel | null;
  /** Records made by earlier effects, by their `as`. */
  readonly records?: ReadonlyMap<string, EntityModel>;
}

const PRINCIPAL: readonly (readonly [string, Variable])[] = [
  ['user', { kind: 'value', type: TEXT }],
  ['tenant', { kind: 'value', type: TEXT }],
  ['roles', { kind: 'value', type: { kind: 'list' } }],
  ['attributes', { kind: 'attributes' }],
];
const REACH: Readonly<Record<Place, Scope['reach']>> = {
  computed: 'rows',
  check: 'all',
  visibleIf: 'own',
  requiredIf: 'own',
  where: 'all',
  filter: 'all',
  operation: 'all',
  time: 'all',
};

export function scopeFor(apps: Apps, entity: EntityModel, place: Place, extra: Extra = {}): Scope {
  const variables = new Map<string, Variable>();
  if (!['computed', 'check', 'requiredIf'].includes(place))
    for (const [name, variable] of PRINCIPAL)
      if (place !== 'time' || name === 'tenant') variables.set(name, variable);
  if (extra.input) variables.set('input', { kind: 'fields', fields: extra.input, app: entity.app });
  if (extra.old) variables.set('old', { kind: 'row', entity });
  if (extra.each) variables.set('each', { kind: 'row', entity: extra.each });
  for (const [name, made] of extra.records ?? []) variables.set(name, { kind: 'row', entity: made });
  const clock = !['computed', 'check', 'visibleIf', 'requiredIf'].includes(place);
  return { apps, entity, variables, clock, reach: REACH[place] };
}

/**
 * The typed tree of an expression of a loaded app. `wanted` null: of any type.
 * Throws ExpressionError with everything wrong, which for apps that were loaded cannot be.
 */
export function typedExpression(text: string, scope: Scope, wanted: Type | null = BOOLEAN): Typed {
  const { typed, problems } = checkExpression(parseExpression(text), scope, wanted ?? undefined);
  if (!typed) throw new ExpressionError(problems.join('; '));
  return typed;
}
