import type { Effect, Place } from '../../definitions/index.ts';
import type { EntityInfo } from '../model/catalogue.ts';
import { problem } from '../model/problem.ts';
import { createByEffect } from './effect-create.ts';
import { speaksOf } from './effect-texts.ts';
import { updateByEffect } from './effect-update.ts';
import type { GivenColumn } from './given.ts';
import { storeUpdate } from './operations.ts';
import { eachOf, inputType, Question, type Subject } from './subject.ts';
import { asApp, Binder, currentRow, type StoredRow, type Unit } from './unit.ts';

/** A subject that earlier effects have changed. */
export interface Acting {
  subject: Subject;
  /** Names of records whose `create` made none: effects that speak of one are left out. */
  readonly absent: Set<string>;
}

/**
 * Carries out effects in order, by the app: with all rights in the tenant and no more. Returns the row
 * as it is afterwards. Errors: ACTION_REFUSED (`require`), EFFECT_NO_MATCH, and those of what is done.
 */
export async function applyEffects(
  unit: Unit,
  subject: Subject,
  effects: readonly Effect[],
  place: Place = 'operation',
): Promise<StoredRow> {
  if (effects.length === 0) return subject.row;
  return asApp(unit, async () => {
    const acting: Acting = {
      subject: { ...subject, records: new Map(subject.records) },
      absent: new Set(),
    };
    for (const effect of effects) await one(unit, acting, effect, place);
    return acting.subject.row;
  });
}

async function one(unit: Unit, acting: Acting, effect: Effect, place: Place): Promise<void> {
  if (speaksOf(effect, acting.absent)) {
    if (effect.kind === 'create' && effect.as !== undefined) acting.absent.add(effect.as);
    return;
  }
  switch (effect.kind) {
    case 'set':
      return set(unit, acting, effect, place);
    case 'require': {
      const question = new Question(unit, acting.subject, null, place);
      const [answer] = await question.answer([question.sql(effect.rule)]);
      if (answer![0] !== 'true')
        throw problem('ACTION_REFUSED', effect.message ?? 'What this needs does not hold.');
      return;
    }
    case 'create': {
      const row = await createByEffect(unit, acting.subject, effect, place);
      if (!row && effect.as !== undefined) acting.absent.add(effect.as);
      if (row && effect.as !== undefined) {
        acting.absent.delete(effect.as);
        const entity = unit.model.catalogue.entity(effect.entity);
        const records = new Map([...acting.subject.records, [effect.as, { entity, row }]]);
        acting.subject = { ...acting.subject, records };
      }
      return refresh(unit, acting);
    }
    case 'update':
      await updateByEffect(unit, acting.subject, effect, place);
      return refresh(unit, acting);
    case 'transition':
      await transit(unit, acting.subject, effect, place);
      return refresh(unit, acting);
    case 'notify':
      return notify(unit, acting.subject, effect, place);
    case 'webhook':
      return webhook(unit, acting.subject, effect, place);
  }
}

/** What was done elsewhere may have changed the record: totals, automations. */
async function refresh(unit: Unit, acting: Acting): Promise<void> {
  const { entity, row } = acting.subject;
  const now = await currentRow(unit, entity, row.get('id')!);
  if (now) acting.subject = { ...acting.subject, row: now };
}

async function set(
  unit: Unit,
  acting: Acting,
  effect: Effect & { kind: 'set' },
  place: Place,
): Promise<void> {
  const { entity, row } = acting.subject;
  const question = new Question(unit, acting.subject, null, place);
  const holds = effect.if === undefined ? 'true' : question.sql(effect.if);
  const assigned = Object.entries(effect.values).flatMap(([field, text]) =>
    question.assign(entity, field, text),
  );
  const [answer] = await question.answer([holds, ...assigned.map(({ sql }) => sql)]);
  if (answer![0] !== 'true') return;
  const binder = new Binder();
  const values = new Map(
    assigned.map(({ column }, index) => [
      column,
      `${binder.add(answer![index + 1] ?? null)}::${unit.model.rows(entity).typeOf(column)}`,
    ]),
  );
  const after = await storeUpdate(unit, entity, row.get('id')!, binder, values, true);
  acting.subject = { ...acting.subject, row: after };
}

async function transit(
  unit: Unit,
  subject: Subject,
  effect: Effect & { kind: 'transition' },
  place: Place,
): Promise<void> {
  const each = effect.each === undefined ? null : eachOf(unit, subject, effect.each);
  const question = new Question(unit, subject, each, place);
  let entity: EntityInfo = each?.entity ?? subject.entity;
  let record: string;
  if (effect.record !== undefined) {
    const typed = question.typed(effect.record, null);
    if (typed.type.kind !== 'reference') throw new Error(`${effect.record} is no reference`);
    entity = unit.model.catalogue.entity(typed.type.entities[0]!);
    record = question.sql(effect.record, null);
  } else record = each ? 'e.id' : `${question.binder.add(subject.row.get('id')!)}::bigint`;
  const fields = entity.model.states?.transitions.find((one) => one.name === effect.name)?.input ?? [];
  const inputs = Object.entries(effect.input).map(([name, text]) => ({
    name,
    sql: question.sql(text, null),
  }));
  const rule = effect.if === undefined ? undefined : question.sql(effect.if);
  const rows = await question.answer([record, ...inputs.map(({ sql }) => sql)], rule);
  for (const [id, ...values] of rows) {
    if (id === null || id === undefined)
      throw problem('EFFECT_NO_MATCH', `${effect.name}: there is no record to do it to.`);
    const columns = new Map<string, GivenColumn>(
      inputs.map(({ name }, index) => {
        const field = fields.find((one) => one.name === name);
        const column = field?.type === 'reference' ? `${name}_id` : name;
        return [column, { value: values[index] ?? null, type: inputType(fields, column) }];
      }),
    );
    await unit.transit(entity, id, effect.name, { columns, children: new Map(), references: [] });
  }
}

async function notify(
  unit: Unit,
  subject: Subject,
  effect: Effect & { kind: 'notify' },
  place: Place,
): Promise<void> {
  const each = effect.each === undefined ? null : eachOf(unit, subject, effect.each);
  const question = new Question(unit, subject, each, place);
  const to = effect.to === undefined ? 'NULL' : question.sql(effect.to, null);
  const text = question.sql(effect.text, null);
  const rule = effect.if === undefined ? undefined : question.sql(effect.if);
  for (const [user, body] of await question.answer([to, text], rule)) {
    if (body === null || body === undefined || (effect.role === undefined && !user)) continue;
    unit.tx.later({
      text: 'INSERT INTO bac.notifications (tenant_id, user_id, role, entity, record_id, body, with_record) VALUES ($1, $2, $3, $4, $5, $6, false)',
      values: [
        unit.identity.tenant,
        user ?? null,
        effect.role ?? null,
        subject.entity.path,
        subject.row.get('id')!,
        body.slice(0, 2000),
      ],
      keep: true,
      elevated: true,
    });
  }
}

async function webhook(
  unit: Unit,
  subject: Subject,
  effect: Effect & { kind: 'webhook' },
  place: Place,
): Promise<void> {
  const each = effect.each === undefined ? null : eachOf(unit, subject, effect.each);
  const question = new Question(unit, subject, each, place);
  const names = Object.keys(effect.body);
  const values = names.map((name) => `to_jsonb(${question.sql(effect.body[name]!, null)})`);
  const rule = effect.if === undefined ? undefined : question.sql(effect.if);
  for (const row of await question.answer(values, rule)) {
    const body = Object.fromEntries(
      names.map((name, index) => [name, JSON.parse(row[index] ?? 'null') as unknown]),
    );
    unit.tx.later({
      text: 'INSERT INTO bac.outbox (tenant_id, entity, record_id, url, body) VALUES ($1, $2, $3, $4, $5)',
      values: [
        unit.identity.tenant,
        subject.entity.path,
        subject.row.get('id')!,
        effect.url,
        JSON.stringify(body),
      ],
      keep: true,
      elevated: true,
    });
  }
}
