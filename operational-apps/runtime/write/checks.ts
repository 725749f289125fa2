import type { EntityInfo } from '../model/catalogue.ts';
import { problem } from '../model/problem.ts';
import { Question, subjectOf } from './subject.ts';
import { currentRow, type StoredRow, type Unit } from './unit.ts';

/** Notes that a record's rules are to be looked at once everything else is done. */
export function mustHold(unit: Unit, entity: EntityInfo, id: string): void {
  if (hasRules(entity)) unit.unchecked.set(`${entity.path} ${id}`, { entity, id });
}

const requiredIf = (entity: EntityInfo) =>
  [...entity.fields.values()].flatMap((field) =>
    field.model && 'requiredIf' in field.model && field.model.requiredIf !== undefined
      ? [{ field, rule: field.model.requiredIf }]
      : [],
  );

const hasRules = (entity: EntityInfo): boolean =>
  entity.model.checks.length > 0 || requiredIf(entity).length > 0;

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
  const { checks } = entity.model;
  const required = requiredIf(entity).filter(({ field }) =>
    field.columns.every((column) => (row.get(column) ?? null) === null),
  );
  if (checks.length + required.length === 0) return;
  const question = new Question(unit, subjectOf(entity, row), null, 'check');
  const broken = checks.map(({ rule, when }) => {
    const fails = `(${question.sql(rule)}) IS FALSE`;
    return when === undefined ? fails : `(${question.sql(when)}) IS TRUE AND ${fails}`;
  });
  const missing = required.map(({ rule }) => `(${question.sql(rule)}) IS TRUE`);
  const [answers] = await question.answer([...broken, ...missing]);
  for (const [index, check] of checks.entries())
    if (answers![index] === 'true')
      throw problem(
        'RULE_BROKEN',
        check.message ?? `${entity.model.label}: the rule \`${check.name}\` does not hold.`,
        undefined,
        {
          entity: entity.path,
          rule: check.name,
        },
      );
  for (const [index, { field }] of required.entries())
    if (answers![checks.length + index] === 'true')
      throw problem('VALUE_REQUIRED', `${field.label} needs a value here.`, field.name);
}
