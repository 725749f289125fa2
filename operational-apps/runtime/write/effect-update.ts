import { pgIdent } from '#kernel';
import type { Effect, Place } from '../../definitions/index.ts';
import type { EntityInfo } from '../model/catalogue.ts';
import { problem } from '../model/problem.ts';
import type { GivenColumn } from './given.ts';
import { insertRecord, storeUpdate } from './operations.ts';
import { eachOf, Question, type Subject } from './subject.ts';
import { changesBetween } from './trail.ts';
import { Binder, ofTenant, type StoredRow, storedRow, type Unit } from './unit.ts';

type Update = Effect & { readonly kind: 'update' };

/** One record to be changed: texts of the values, by column. */
interface Target {
  readonly match: ReadonlyMap<string, string | null>;
  readonly set: ReadonlyMap<string, string | null>;
  readonly add: ReadonlyMap<string, string | null>;
  readonly orCreate: ReadonlyMap<string, string | null>;
}

/**
 * Changes the records of an `update`, in the order of the values that find them, so that two
 * transactions never wait for each other. Errors: EFFECT_NO_MATCH.
 */
export async function updateByEffect(
  unit: Unit,
  subject: Subject,
  effect: Update,
  place: Place,
): Promise<void> {
  const entity = unit.model.catalogue.entity(effect.entity);
  const targets = await evaluate(unit, subject, entity, effect, place);
  const key = (target: Target): string =>
    [...target.match.values()].map((value) => (value ?? '').padStart(24)).join(' ');
  for (const target of targets.sort((a, b) => (key(a) < key(b) ? -1 : 1)))
    await change(unit, entity, effect, target);
}

async function evaluate(
  unit: Unit,
  subject: Subject,
  entity: EntityInfo,
  effect: Update,
  place: Place,
): Promise<Target[]> {
  const each = effect.each === undefined ? null : eachOf(unit, subject, effect.each);
  const question = new Question(unit, subject, each, place);
  const parts = [effect.match, effect.set, effect.add, effect.orCreate ?? {}].map((values) =>
    Object.entries(values).flatMap(([field, text]) => question.assign(entity, field, text)),
  );
  const rule = effect.if === undefined ? undefined : question.sql(effect.if);
  const answers = await question.answer(
    parts.flat().map(({ sql }) => sql),
    rule,
  );
  return answers.map((answer) => {
    let at = 0;
    const [match, set, add, orCreate] = parts.map(
      (part) => new Map(part.map(({ column }) => [column, answer[at++] ?? null])),
    );
    return { match: match!, set: set!, add: add!, orCreate: orCreate! };
  });
}

async function change(unit: Unit, entity: EntityInfo, effect: Update, target: Target): Promise<void> {
  let found = await find(unit, entity, target);
  if (found.length === 0 && effect.orCreate !== undefined) {
    if (await make(unit, entity, target)) return;
    // Somebody else has made it meanwhile.
    found = await find(unit, entity, target);
  }
  if (found.length === 0 && !effect.optional)
    throw problem('EFFECT_NO_MATCH', `There is no ${entity.model.label} to change.`, undefined, {
      entity: entity.path,
      match: Object.fromEntries(target.match),
    });
  for (const before of found) {
    const binder = new Binder();
    const { typeOf } = unit.model.rows(entity);
    const values = new Map<string, string>();
    for (const [column, value] of target.set) values.set(column, `${binder.add(value)}::${typeOf(column)}`);
    for (const [column, value] of target.add)
      values.set(
        column,
        `coalesce(t.${pgIdent(column)}, 0) + coalesce(${binder.add(value)}::${typeOf(column)}, 0)`,
      );
    const id = before.get('id')!;
    const after = await storeUpdate(unit, entity, id, binder, values);
    await unit.settle(entity, {
      kind: 'updated',
      id,
      before,
      after,
      changes: changesBetween(entity, before, after),
    });
  }
}

async function find(unit: Unit, entity: EntityInfo, { match }: Target): Promise<StoredRow[]> {
  const writer = unit.model.rows(entity);
  const binder = new Binder();
  const rules = [...match].map(
    ([column, value]) => `t.${pgIdent(column)} = ${binder.add(value)}::${writer.typeOf(column)}`,
  );
  const { rows } = await unit.tx.run(
    binder.statement(
      `SELECT ${writer.columnsSql} FROM ${entity.table} t WHERE ${rules.join(' AND ')}${ofTenant(entity, binder, unit.identity.tenant)} ORDER BY t.id FOR UPDATE`,
    ),
  );
  return rows.map((row) => storedRow(writer.columns, row));
}

/** False if another transaction has made the record in this moment. */
async function make(unit: Unit, entity: EntityInfo, target: Target): Promise<boolean> {
  const { typeOf } = unit.model.rows(entity);
  const columns = new Map<string, GivenColumn>();
  for (const part of [target.match, target.orCreate, target.set, target.add])
    for (const [column, value] of part) columns.set(column, { value, type: typeOf(column) });
  // A unique rule that is broken ends the statement, not the transaction.
  await unit.tx.run({ text: 'SAVEPOINT make' });
  try {
    await insertRecord(unit, entity, { columns, children: new Map(), references: [] });
    unit.tx.later({ text: 'RELEASE SAVEPOINT make' });
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code !== '23505') throw error;
    await unit.tx.run({ text: 'ROLLBACK TO SAVEPOINT make' });
    return false;
  }
}
