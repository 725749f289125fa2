import { type ExpressionReport, expressionAt } from './check-expression.ts';
import { assignment } from './expressions/convert.ts';
import { parseExpression } from './expressions/parse.ts';
import { fieldOf, namesOf, rowsAt } from './expressions/scope.ts';
import { ExpressionError } from './expressions/tree.ts';
import { isNumber, TEXT } from './expressions/types.ts';
import { hint } from './hint.ts';
import type { EntityModel } from './model.ts';
import type { Effect } from './model-behaviour.ts';
import type { Extra, Place } from './places.ts';

type At = readonly PropertyKey[];
type Values = Readonly<Record<string, string>>;

/** Effects: what they write exists, may be written and fits; what they need to make a record is given. */
export function checkEffects(
  say: ExpressionReport,
  effects: readonly Effect[],
  path: At,
  place: Place,
  given: Extra,
): void {
  const records = new Map(given.records);
  for (const [index, effect] of effects.entries()) {
    const here = [...path, index];
    const each =
      'each' in effect && effect.each !== undefined ? rowsOf(say, effect.each, [...here, 'each']) : null;
    const extra: Extra = { ...given, records, each };
    const any = (text: string, at: At, wanted: Parameters<typeof expressionAt>[5] = null) =>
      expressionAt(say, text, at, place, extra, wanted);
    if ('if' in effect && effect.if !== undefined)
      expressionAt(say, effect.if, [...here, 'if'], place, extra);
    const assign = (entity: EntityModel, values: Values, at: At, numbers = false): void =>
      checkValues(say, entity, values, at, place, extra, numbers);
    switch (effect.kind) {
      case 'set':
        assign(say.entity, effect.values, [...here, 'set']);
        break;
      case 'require':
        expressionAt(say, effect.rule, [...here, 'require'], place, extra);
        break;
      case 'create': {
        const target = entityNamed(say, effect.entity, [...here, 'create']);
        if (!target) break;
        assign(target, effect.values, [...here, 'values']);
        checkRequired(say, target, effect.values, [...here, 'values']);
        for (const [table, rows] of Object.entries(effect.children)) {
          const field = target.fields.find((one) => one.name === table);
          const child =
            field?.type === 'childTable' && entityNamed(say, `${target.app}.${field.entity}`, here);
          if (!child) {
            const known = target.fields.filter((one) => one.type === 'childTable').map((one) => one.name);
            say.report(
              [...here, 'children', table],
              `unknown child table \`${table}\`${hint(table, known)}`,
              'key',
            );
            continue;
          }
          for (const row of rows) {
            const at = [...here, 'children', table];
            const rowEach = row.each === undefined ? each : rowsOf(say, row.each, at);
            const inner = { ...extra, each: rowEach };
            if (row.if !== undefined) expressionAt(say, row.if, at, place, inner);
            checkValues(say, child, row.values, at, place, inner, false);
            checkRequired(say, child, row.values, at);
          }
        }
        if (effect.as !== undefined) records.set(effect.as, target);
        break;
      }
      case 'update': {
        const target = entityNamed(say, effect.entity, [...here, 'update']);
        if (!target) break;
        checkMatch(say, target, effect.match, [...here, 'match'], any);
        assign(target, effect.set, [...here, 'set']);
        assign(target, effect.add, [...here, 'add'], true);
        if (effect.orCreate) assign(target, effect.orCreate, [...here, 'orCreate']);
        break;
      }
      case 'notify':
        any(effect.text, [...here, 'notify', 'text'], TEXT);
        if (effect.to !== undefined) any(effect.to, [...here, 'notify', 'to'], TEXT);
        if (effect.to === undefined && effect.role === undefined)
          say.report([...here, 'notify'], 'says neither `to` nor `role`');
        break;
      case 'webhook':
        for (const [key, text] of Object.entries(effect.body)) any(text, [...here, 'webhook', 'body', key]);
        break;
      case 'transition':
        checkTransition(say, effect, each, [...here, 'transition'], any);
    }
  }
}

type Any = (text: string, at: At) => ReturnType<typeof expressionAt>;

function checkTransition(
  say: ExpressionReport,
  effect: Effect & { kind: 'transition' },
  each: EntityModel | null,
  at: At,
  any: Any,
): void {
  let target: EntityModel | null | undefined = each ?? say.entity;
  if (effect.record !== undefined) {
    const typed = any(effect.record, [...at, 'record']);
    if (!typed) return;
    if (typed.type.kind !== 'reference') {
      say.report([...at, 'record'], 'must be a reference to a record');
      return;
    }
    target = entityNamed(say, typed.type.entities[0]!, [...at, 'record']);
  }
  const known = target?.states?.transitions.map((one) => one.name) ?? [];
  if (target && !known.includes(effect.name))
    say.report(
      [...at, 'name'],
      `unknown transition \`${effect.name}\` of ${target.name}${hint(effect.name, known)}`,
    );
  for (const [key, text] of Object.entries(effect.input)) any(text, [...at, 'input', key]);
}

function entityNamed({ apps, report }: ExpressionReport, path: string, at: At): EntityModel | null {
  const [app, name] = path.split('.');
  const entities = apps.get(app!)?.entities;
  const found = entities?.find((one) => one.name === name);
  if (!entities) report(at, `unknown app \`${app}\`${hint(app!, [...apps.keys()])}`);
  else if (!found)
    report(
      at,
      `unknown entity \`${path}\`${hint(
        name!,
        entities.map((one) => one.name),
      )}`,
    );
  return found ?? null;
}

function rowsOf({ apps, entity, report }: ExpressionReport, text: string, at: At): EntityModel | null {
  try {
    const tree = parseExpression(text);
    const found = tree.kind === 'path' ? rowsAt(apps, { kind: 'own' }, entity, tree.steps) : null;
    if (found) return found.rows.entity;
    report(at, `\`${text}\` is neither a child table nor an entity that refers to ${entity.name}`);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    report(at, error.message);
  }
  return null;
}

function checkValues(
  say: ExpressionReport,
  target: EntityModel,
  values: Values,
  at: At,
  place: Place,
  extra: Extra,
  numbers: boolean,
): void {
  for (const [name, text] of Object.entries(values)) {
    const path = [...at, name];
    const field = target.fields.find((one) => one.name === name);
    const found = fieldOf(target, name);
    if (!found) {
      say.report(path, `unknown field \`${name}\` of ${target.name}${hint(name, namesOf(target))}`, 'key');
      continue;
    }
    if (field && 'computed' in field && field.computed !== undefined)
      say.report(path, `\`${name}\` is computed and cannot be written`, 'key');
    else if (['id', 'created_at', 'updated_at', 'created_by', 'version'].includes(name))
      say.report(path, `\`${name}\` is kept by the hub and cannot be written`, 'key');
    const typed = expressionAt(say, text, path, place, extra, null);
    if (!typed) continue;
    const fits =
      numbers && !isNumber(found.type) ? `\`${name}\` is no number field` : assignment(typed, found.type);
    if (typeof fits === 'string') say.report(path, fits);
  }
}

/** Fields without which no record can be made: required, and with nothing that gives them a value. */
function checkRequired({ report }: ExpressionReport, target: EntityModel, values: Values, at: At): void {
  for (const field of target.fields) {
    if (!('required' in field) || !field.required || field.name in values) continue;
    if ('default' in field && field.default !== undefined) continue;
    if ('computed' in field && field.computed !== undefined) continue;
    report(at, `\`${field.name}\` of ${target.name} is required and has no value here`);
  }
}

function checkMatch(say: ExpressionReport, target: EntityModel, match: Values, at: At, any: Any): void {
  const names = Object.keys(match);
  for (const [name, text] of Object.entries(match)) {
    const found = fieldOf(target, name);
    if (!found)
      say.report(
        [...at, name],
        `unknown field \`${name}\` of ${target.name}${hint(name, namesOf(target))}`,
        'key',
      );
    const typed = any(text, [...at, name]);
    const fits = found && typed ? assignment(typed, found.type) : null;
    if (typeof fits === 'string') say.report([...at, name], fits);
  }
  const groups = [
    ['id'],
    ...(target.numbering ? [[target.numbering.field]] : []),
    ...target.fields.filter((one) => 'unique' in one && one.unique === true).map((one) => [one.name]),
    ...target.unique,
  ];
  if (!groups.some((group) => group.every((name) => names.includes(name))))
    say.report(
      at,
      `several rows of ${target.name} may match: name all fields of a unique group${groups.length > 0 ? ` (${groups.map((group) => group.join(' + ')).join(', ')})` : ''}`,
    );
}
