import type { ActionModel, FieldModel, TransitionModel } from '../../definitions/index.ts';
import { type EntityInfo, inputEntity } from '../model/catalogue.ts';
import { allRights } from '../model/policy.ts';
import { problem } from '../model/problem.ts';
import type { Values } from '../types.ts';
import { applyEffects } from './effects.ts';
import type { Given } from './given.ts';
import { type Locked, lockRecord, lockStatement, notFound, stateOf } from './lock.ts';
import { storeUpdate } from './operations.ts';
import { checkReferences } from './references.ts';
import { Question, type Subject, subjectOf } from './subject.ts';
import { changesBetween } from './trail.ts';
import { Binder, type StoredRow, storedRow, type Unit } from './unit.ts';
import { checkValues } from './values.ts';

const MOST_DEEP = 20;

/**
 * As a principal. Errors: TRANSITION_UNKNOWN, PERMISSION_DENIED, RECORD_NOT_FOUND, VERSION_STALE,
 * TRANSITION_REFUSED, those of the input (paths `input.<field>`) and of the effects.
 */
export async function transitionRecord(
  unit: Unit,
  entity: EntityInfo,
  id: string,
  name: string,
  input: Values,
  version?: number,
): Promise<void> {
  const transition = transitionOf(entity, name);
  assertMay(entity, transition, unit.access.rights(entity).transitions);
  const given = checkInput(unit, entity, transition.input, input);
  const locked = await lockRecord(unit, entity, id, version);
  assertFrom(entity, transition, locked);
  await checkReferences(unit, given.references);
  await makeTransition(unit, entity, locked.row, transition, given);
}

/** As the app, from an effect. Errors besides: AUTOMATION_LOOP. */
export async function transitByApp(
  unit: Unit,
  entity: EntityInfo,
  id: string,
  name: string,
  given: Given,
): Promise<void> {
  const transition = transitionOf(entity, name);
  const { rows } = await unit.tx.run(lockStatement(unit, entity, id));
  if (!rows[0]) throw notFound(entity, id);
  const row = storedRow(unit.model.rows(entity).columns, rows[0]);
  assertFrom(entity, transition, { row, version: 0, state: stateOf(entity, row) });
  unit.nesting.transitions += 1;
  if (unit.nesting.transitions > MOST_DEEP)
    throw problem(
      'AUTOMATION_LOOP',
      `Transitions do one another more than ${MOST_DEEP} deep; the last is ${entity.path}.${name}.`,
    );
  await makeTransition(unit, entity, row, transition, given);
  unit.nesting.transitions -= 1;
}

/** Errors: ACTION_UNKNOWN, PERMISSION_DENIED, RECORD_NOT_FOUND, VERSION_STALE, ACTION_REFUSED. */
export async function actOnRecord(
  unit: Unit,
  entity: EntityInfo,
  id: string,
  name: string,
  input: Values,
  version?: number,
): Promise<void> {
  const action = entity.model.actions.find((one) => one.name === name);
  if (!action) throw problem('ACTION_UNKNOWN', `${entity.path} has no action \`${name.slice(0, 60)}\`.`);
  assertMay(entity, action, unit.access.rights(entity).actions);
  const given = checkInput(unit, entity, action.input, input);
  const { row: before } = await lockRecord(unit, entity, id, version);
  await checkReferences(unit, given.references);
  const subject = { ...subjectOf(entity, before), input: { fields: action.input, given } };
  await assertGuard(unit, subject, action, 'ACTION_REFUSED');
  const row = await store(unit, entity, id, action, new Map());
  const after = await applyEffects(unit, { ...subject, row }, action.effects);
  await unit.settle(entity, {
    kind: 'action',
    id,
    before,
    after,
    changes: changesBetween(entity, before, after),
    name,
  });
}

async function makeTransition(
  unit: Unit,
  entity: EntityInfo,
  before: StoredRow,
  transition: TransitionModel,
  given: Given,
): Promise<void> {
  const id = before.get('id')!;
  const subject: Subject = { ...subjectOf(entity, before), input: { fields: transition.input, given } };
  await assertGuard(unit, subject, transition, 'TRANSITION_REFUSED');
  const row = await store(
    unit,
    entity,
    id,
    transition,
    new Map([[entity.model.states!.field, transition.to]]),
  );
  const after = await applyEffects(unit, { ...subject, row }, transition.effects);
  await unit.settle(entity, {
    kind: 'transition',
    id,
    before,
    after,
    changes: changesBetween(entity, before, after),
    name: transition.name,
  });
}

/** A role that is named for it may do it without the right to change the record otherwise. */
function store(
  unit: Unit,
  entity: EntityInfo,
  id: string,
  { roles }: ActionModel,
  values: ReadonlyMap<string, string>,
): Promise<StoredRow> {
  const binder = new Binder();
  const stored = new Map([...values].map(([column, value]) => [column, binder.add(value)]));
  const write = (): Promise<StoredRow> => storeUpdate(unit, entity, id, binder, stored);
  return roles !== undefined && unit.mayElevate ? unit.tx.elevated(write) : write();
}

function transitionOf(entity: EntityInfo, name: string): TransitionModel {
  const transition = entity.model.states?.transitions.find((one) => one.name === name);
  if (!transition)
    throw problem('TRANSITION_UNKNOWN', `${entity.path} has no transition \`${name.slice(0, 60)}\`.`);
  return transition;
}

function assertMay(entity: EntityInfo, operation: ActionModel, allowed: readonly string[]): void {
  if (!allowed.includes(operation.name))
    throw problem('PERMISSION_DENIED', `${operation.label}: you may not do that.`, undefined, {
      entity: entity.path,
      operation: operation.name,
    });
}

function assertFrom(entity: EntityInfo, transition: TransitionModel, { state }: Locked): void {
  if (!transition.from.includes(state!))
    throw problem(
      'TRANSITION_REFUSED',
      `${transition.label}: ${entity.model.label} is ${state}, not ${transition.from.join(' or ')}.`,
      undefined,
      { state, from: transition.from },
    );
}

async function assertGuard(
  unit: Unit,
  subject: Subject,
  { guard, guardMessage, label }: ActionModel,
  code: string,
): Promise<void> {
  if (guard === undefined) return;
  const question = new Question(unit, subject);
  const [answer] = await question.answer([question.sql(guard)]);
  if (answer![0] !== 'true') throw problem(code, guardMessage ?? `${label}: it is not ready for that.`);
}

function checkInput(unit: Unit, entity: EntityInfo, fields: readonly FieldModel[], input: Values): Given {
  const asked = inputEntity(entity, fields);
  return checkValues({ catalogue: unit.model.catalogue, rights: allRights }, asked, input, 'create', 'input');
}
