import {
  byName,
  type CheckModel,
  type EntityModel,
  isHeldByDatabase,
  scopeFor,
  type Typed,
  typedExpression,
  usesOf,
} from '../../definitions/index.ts';
import type { EntityInfo, FieldInfo } from '../model/catalogue.ts';
import { problem } from '../model/problem.ts';
import { Question, subjectOf } from './subject.ts';
import { currentRow, type StoredRow, type Unit } from './unit.ts';

/** Rules of an entity that no CHECK constraint holds. */
interface Rules {
  readonly checks: readonly { readonly check: CheckModel; readonly fields: readonly string[] }[];
  readonly required: readonly { readonly field: FieldInfo; readonly rule: string }[];
}

/** Notes that a record's rules are to be looked at once everything else is done. */
export function mustHold(unit: Unit, entity: EntityInfo, id: string): void {
  const { checks, required } = rulesOf(unit, entity);
  if (checks.length + required.length > 0) unit.unchecked.set(`${entity.path} ${id}`, { entity, id });
}

const kept = new WeakMap<EntityModel, Rules>();

function rulesOf(unit: Unit, entity: EntityInfo): Rules {
  let rules = kept.get(entity.model);
  if (!rules) {
    rules = work(unit, entity);
    kept.set(entity.model, rules);
  }
  return rules;
}

function work(unit: Unit, entity: EntityInfo): Rules {
  const { model } = entity;
  const apps = byName(unit.model.catalogue.apps);
  const typed = (text: string, place: 'check' | 'requiredIf') =>
    typedExpression(text, scopeFor(apps, model, place));
  const checks = model.checks.flatMap((check) => {
    const parts = [check.rule, ...(check.when === undefined ? [] : [check.when])];
    const rule = parts.map((text) => typed(text, 'check'));
    return isHeldByDatabase(apps, model, rule) ? [] : [{ check, fields: fieldsOf(entity, rule) }];
  });
  const required = [...entity.fields.values()].flatMap((field) => {
    const rule = field.model && 'requiredIf' in field.model ? field.model.requiredIf : undefined;
    return rule === undefined || isHeldByDatabase(apps, model, [typed(rule, 'requiredIf')])
      ? []
      : [{ field, rule }];
  });
  return { checks, required };
}

/** The record's own fields a rule speaks of. */
function fieldsOf(entity: EntityInfo, parts: readonly Typed[]): string[] {
  const columns = new Set(parts.flatMap((part) => [...usesOf(part).columns]));
  return [...entity.fields.values()]
    .filter((field) => field.name !== 'id' && field.columns.some((column) => columns.has(column)))
    .map((field) => field.name);
}

/**
 * The rules of every record that was written, as it is at the end of the transaction: those over other
 * rows hold because whoever writes such rows holds their parent. Errors: RULE_BROKEN with the rule's
 * message, VALUE_REQUIRED.
 */
export async function holdRules(unit: Unit): Promise<void> {
  for (const { entity, id } of unit.unchecked.values()) {
    const row = await currentRow(unit, entity, id);
    if (row) await holdRulesOf(unit, entity, row);
  }
  unit.unchecked.clear();
}

async function holdRulesOf(unit: Unit, entity: EntityInfo, row: StoredRow): Promise<void> {
  const rules = rulesOf(unit, entity);
  const { checks } = rules;
  const required = rules.required.filter(({ field }) =>
    field.columns.every((column) => (row.get(column) ?? null) === null),
  );
  if (checks.length + required.length === 0) return;
  const question = new Question(unit, subjectOf(entity, row), null, 'check');
  const broken = checks.map(({ check: { rule, when } }) => {
    const fails = `(${question.sql(rule)}) IS FALSE`;
    return when === undefined ? fails : `(${question.sql(when)}) IS TRUE AND ${fails}`;
  });
  const missing = required.map(({ rule }) => `(${question.sql(rule)}) IS TRUE`);
  const [answers] = await question.answer([...broken, ...missing]);
  for (const [index, { check, fields }] of checks.entries())
    if (answers![index] === 'true')
      throw problem(
        'RULE_BROKEN',
        check.message ?? `${entity.model.label}: the rule \`${check.name}\` does not hold.`,
        fields.length > 0 ? fields.join(',') : undefined,
        { entity: entity.path, rule: check.name },
      );
  for (const [index, { field }] of required.entries())
    if (answers![checks.length + index] === 'true')
      throw problem('VALUE_REQUIRED', `${field.label} needs a value here.`, field.name);
}
