import type { AutomationModel } from '../../definitions/index.ts';
import type { EntityInfo } from '../model/catalogue.ts';
import { problem } from '../model/problem.ts';
import { applyEffects } from './effects.ts';
import { Question, type Subject, subjectOf } from './subject.ts';
import type { Change, Event, Unit } from './unit.ts';

const MOST_DEEP = 5;

/** What the definitions do by themselves when a record changes. Error: AUTOMATION_LOOP. */
export async function runAutomations(
  unit: Unit,
  entity: EntityInfo,
  event: Event & { readonly changes: readonly Change[] },
): Promise<void> {
  for (const automation of entity.model.automations) {
    if (!triggers(automation, entity, event)) continue;
    const row = event.after ?? event.before!;
    const subject = subjectOf(entity, row, event.before ?? row);
    unit.nesting.automations += 1;
    if (unit.nesting.automations > MOST_DEEP)
      throw problem(
        'AUTOMATION_LOOP',
        `Automations set off one another more than ${MOST_DEEP} deep; the last is ${entity.path}.${automation.name}.`,
      );
    await runAutomation(unit, automation, subject);
    unit.nesting.automations -= 1;
  }
}

/** False if its condition does not hold. */
export async function runAutomation(
  unit: Unit,
  automation: AutomationModel,
  subject: Subject,
): Promise<boolean> {
  if (automation.if !== undefined) {
    const question = new Question(
      unit,
      subject,
      null,
      automation.when.kind === 'time' ? 'time' : 'operation',
    );
    const [answer] = await question.answer([question.sql(automation.if)]);
    if (answer![0] !== 'true') return false;
  }
  await applyEffects(
    unit,
    subject,
    automation.effects,
    automation.when.kind === 'time' ? 'time' : 'operation',
  );
  return true;
}

function triggers(
  { when }: AutomationModel,
  entity: EntityInfo,
  event: Event & { readonly changes: readonly Change[] },
): boolean {
  switch (when.kind) {
    case 'created':
      return event.kind === 'created';
    case 'deleted':
      return event.kind === 'deleted';
    case 'changed':
      return (
        event.before !== null &&
        event.after !== null &&
        event.changes.some((change) => when.fields.includes(change.field.split('.')[0]!))
      );
    case 'enters': {
      const field = entity.model.states?.field ?? '';
      return event.after?.get(field) === when.state && event.before?.get(field) !== when.state;
    }
    case 'time':
      return false;
  }
}
