import { checkEffects } from './check-effects.ts';
import { type ExpressionReport, expressionAt } from './check-expression.ts';
import { checkViews } from './check-views.ts';
import { fieldOf, namesOf } from './expressions/scope.ts';
import { hint } from './hint.ts';
import type { EntityModel } from './model.ts';
import type { Apps, Extra, Place } from './places.ts';
import type { Report } from './problems.ts';

/** Guards, rules, conditions, actions, automations, views, permissions and submittable states of one entity. */
export function checkBehaviour(
  entity: EntityModel,
  apps: Apps,
  roles: readonly string[],
  report: Report,
): void {
  const say: ExpressionReport = { apps, entity, report };
  const condition = (
    text: string | undefined,
    path: readonly PropertyKey[],
    place: Place,
    extra?: Extra,
  ): void => {
    if (text !== undefined) expressionAt(say, text, path, place, extra);
  };
  const field = (name: string, path: readonly PropertyKey[]): void => {
    const known = entity.fields.some((one) => one.name === name) || fieldOf(entity, name) !== null;
    if (!known) report(path, `unknown field \`${name}\`${hint(name, namesOf(entity))}`);
  };
  const role = (name: string, path: readonly PropertyKey[]): void => {
    if (roles.length > 0 && !roles.includes(name))
      report(path, `unknown role \`${name}\`${hint(name, roles)}`);
  };

  for (const one of entity.fields)
    for (const key of ['visibleIf', 'requiredIf'] as const)
      if (key in one) condition((one as Record<string, string>)[key], ['fields', one.name, key], key);
  for (const [at, check] of entity.checks.entries()) {
    condition(check.rule, ['checks', at, 'rule'], 'check');
    condition(check.when, ['checks', at, 'when'], 'check');
  }
  unique(entity.checks, 'checks', report);
  for (const [at, rule] of entity.permissions.entries()) {
    condition(rule.where, ['permissions', at, 'where'], 'where');
    for (const name of rule.roles) role(name, ['permissions', at, 'role']);
    for (const key of ['hide', 'mask', 'readonly'] as const)
      for (const [index, name] of rule[key].entries()) field(name, ['permissions', at, key, index]);
  }
  checkSubmittable(entity, report);
  unique(entity.states?.transitions ?? [], 'states.transitions', report);
  for (const [at, one] of (entity.states?.transitions ?? []).entries()) {
    const path = ['states', 'transitions', at];
    const extra = { input: one.input, old: true };
    condition(one.guard, [...path, 'guard'], 'operation', extra);
    for (const [index, name] of (one.roles ?? []).entries()) role(name, [...path, 'roles', index]);
    checkEffects(say, one.effects, [...path, 'effects'], 'operation', extra);
  }
  for (const one of entity.actions) {
    const path = ['actions', one.name];
    const extra = { input: one.input, old: true };
    condition(one.guard, [...path, 'guard'], 'operation', extra);
    for (const [index, name] of (one.roles ?? []).entries()) role(name, [...path, 'roles', index]);
    checkEffects(say, one.effects, [...path, 'effects'], 'operation', extra);
  }
  unique(entity.automations, 'automations', report);
  for (const [at, one] of entity.automations.entries()) {
    const path = ['automations', at];
    const place = one.when.kind === 'time' ? 'time' : 'operation';
    const extra = { old: one.when.kind === 'changed' || one.when.kind === 'enters' };
    condition(one.if, [...path, 'if'], place, extra);
    checkTrigger(entity, one.when, [...path, 'when'], report, field);
    checkEffects(say, one.effects, [...path, 'effects'], place, extra);
  }
  unique(entity.views, 'views', report);
  checkViews(say, field);
}

function checkSubmittable(entity: EntityModel, report: Report): void {
  const { submittable, states } = entity;
  if (!submittable) return;
  if (!states) {
    report(['submittable'], 'a submittable entity needs `states`');
    return;
  }
  const known = states.list.map((state) => state.name);
  const given = [...submittable.draft, ...submittable.submitted, ...submittable.cancelled];
  for (const kind of ['draft', 'submitted', 'cancelled'] as const)
    for (const [index, name] of submittable[kind].entries()) {
      if (!known.includes(name))
        report(['submittable', kind, index], `unknown state \`${name}\`${hint(name, known)}`);
      else if (given.indexOf(name) !== given.lastIndexOf(name))
        report(['submittable', kind, index], `state \`${name}\` is in two lists`);
    }
  for (const name of known)
    if (!given.includes(name)) report(['submittable'], `state \`${name}\` is in none of the three lists`);
  if (!submittable.draft.includes(states.initial))
    report(['submittable', 'draft'], `the initial state \`${states.initial}\` must be a draft`);
}

function checkTrigger(
  entity: EntityModel,
  when: EntityModel['automations'][number]['when'],
  path: readonly PropertyKey[],
  report: Report,
  field: (name: string, path: readonly PropertyKey[]) => void,
): void {
  if (when.kind === 'changed')
    for (const [at, name] of when.fields.entries()) field(name, [...path, 'changed', at]);
  if (when.kind === 'enters') {
    const known = entity.states?.list.map((state) => state.name) ?? [];
    if (!known.includes(when.state))
      report([...path, 'enters'], `unknown state \`${when.state}\`${hint(when.state, known)}`);
  }
  if (when.kind === 'time') {
    const found = fieldOf(entity, when.field);
    if (!found) field(when.field, [...path, 'after']);
    else if (found.type.kind !== 'date' && found.type.kind !== 'dateTime')
      report([...path, 'after'], `\`${when.field}\` is of type ${found.type.kind}, not a date or date-time`);
  }
}

function unique(list: readonly { readonly name: string }[], at: string, report: Report): void {
  for (const [index, one] of list.entries())
    if (list.findIndex((other) => other.name === one.name) < index)
      report([...at.split('.'), index], `two have the name \`${one.name}\`: give this one another`);
}
