import type { ChildRows, Effect, Place } from '../../definitions/index.ts';
import type { EntityInfo } from '../model/catalogue.ts';
import { problem } from '../model/problem.ts';
import type { Given, GivenChild, GivenColumn } from './given.ts';
import { insertRecord } from './operations.ts';
import { eachOf, Question, type Subject } from './subject.ts';
import type { StoredRow, Unit } from './unit.ts';

/** Makes the records of a `create`; returns the last of them, null if its condition held for none. */
export async function createByEffect(
  unit: Unit,
  subject: Subject,
  effect: Effect & { kind: 'create' },
  place: Place,
): Promise<StoredRow | null> {
  const entity = unit.model.catalogue.entity(effect.entity);
  const rows = await evaluate(unit, subject, entity, effect, place);
  let made: StoredRow | null = null;
  for (const columns of rows) {
    const children = new Map<string, readonly GivenChild[]>();
    for (const [table, list] of Object.entries(effect.children))
      children.set(table, await childrenOf(unit, subject, entity, table, list, place));
    assertComplete(entity, columns);
    made = await insertRecord(unit, entity, { columns, children, references: [] });
  }
  return made;
}

async function childrenOf(
  unit: Unit,
  subject: Subject,
  entity: EntityInfo,
  table: string,
  list: readonly ChildRows[],
  place: Place,
): Promise<GivenChild[]> {
  const child = unit.model.catalogue.entity(entity.fields.get(table)!.entities[0]!);
  const children: GivenChild[] = [];
  for (const rows of list)
    for (const columns of await evaluate(unit, subject, child, rows, place)) {
      const given: Given = { columns, children: new Map(), references: [] };
      children.push({ id: undefined, given, path: `${table}.${children.length}` });
    }
  return children;
}

/** Columns of each row to be made. */
async function evaluate(
  unit: Unit,
  subject: Subject,
  entity: EntityInfo,
  { each: eachText, if: rule, values }: ChildRows,
  place: Place,
): Promise<ReadonlyMap<string, GivenColumn>[]> {
  const each = eachText === undefined ? null : eachOf(unit, subject, eachText);
  const question = new Question(unit, subject, each, place);
  const assigned = Object.entries(values).flatMap(([field, text]) => question.assign(entity, field, text));
  const answers = await question.answer(
    assigned.map(({ sql }) => sql),
    rule === undefined ? undefined : question.sql(rule),
  );
  const { typeOf } = unit.model.rows(entity);
  return answers.map(
    (answer) =>
      new Map(
        assigned.map(({ column }, index) => [column, { value: answer[index] ?? null, type: typeOf(column) }]),
      ),
  );
}

/** What the definition leaves null although it must have a value is told by its field. */
function assertComplete(entity: EntityInfo, columns: ReadonlyMap<string, GivenColumn>): void {
  for (const field of entity.fields.values()) {
    if (field.nullable || field.fixed || field.kind === 'address') continue;
    const column = field.columns[0];
    if (column !== undefined && columns.has(column) && columns.get(column)!.value === null)
      throw problem('VALUE_REQUIRED', `${entity.model.label}: ${field.label} needs a value.`, undefined, {
        entity: entity.path,
        field: field.name,
      });
  }
}
