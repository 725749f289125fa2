import type { EntityInfo } from '../model/catalogue.ts';
import { problem } from '../model/problem.ts';
import type { Values } from '../types.ts';
import { lockRecord } from './lock.ts';
import { storeUpdate } from './operations.ts';
import { settle } from './settle.ts';
import { changesBetween } from './trail.ts';
import { Binder, type Unit } from './unit.ts';

/** Errors: TRANSITION_UNKNOWN, PERMISSION_DENIED, RECORD_NOT_FOUND, VERSION_STALE, TRANSITION_REFUSED. */
export async function transitionRecord(
  unit: Unit,
  entity: EntityInfo,
  id: string,
  name: string,
  _input: Values,
  version?: number,
): Promise<void> {
  const { states } = entity.model;
  const transition = states?.transitions.find((one) => one.name === name);
  if (!states || !transition)
    throw problem('TRANSITION_UNKNOWN', `${entity.path} has no transition \`${name.slice(0, 60)}\`.`);
  if (!unit.access.rights(entity).transitions.includes(name))
    throw problem('PERMISSION_DENIED', `You may not ${transition.label.toLowerCase()} it.`, undefined, {
      entity: entity.path,
      operation: name,
    });
  const locked = await lockRecord(unit, entity, id, version);
  if (!transition.from.includes(locked.state!))
    throw problem(
      'TRANSITION_REFUSED',
      `${transition.label}: ${entity.model.label} is ${locked.state}, not ${transition.from.join(' or ')}.`,
      undefined,
      { state: locked.state, from: transition.from },
    );
  const binder = new Binder();
  const values = new Map([[states.field, binder.add(transition.to)]]);
  const store = (): ReturnType<typeof storeUpdate> => storeUpdate(unit, entity, id, binder, values);
  // A role that is named for the transition may do it without the right to change the record otherwise.
  const after = transition.roles && unit.mayElevate ? await unit.tx.elevated(store) : await store();
  const changes = changesBetween(entity, locked.row, after);
  await settle(unit, entity, { kind: 'transition', id, before: locked.row, changes, name });
}

/** Errors: ACTION_UNKNOWN, PERMISSION_DENIED, RECORD_NOT_FOUND, VERSION_STALE, ACTION_REFUSED. */
export async function actOnRecord(
  unit: Unit,
  entity: EntityInfo,
  id: string,
  name: string,
  _input: Values,
  version?: number,
): Promise<void> {
  const action = entity.model.actions.find((one) => one.name === name);
  if (!action) throw problem('ACTION_UNKNOWN', `${entity.path} has no action \`${name.slice(0, 60)}\`.`);
  if (!unit.access.rights(entity).actions.includes(name))
    throw problem('PERMISSION_DENIED', `You may not ${action.label.toLowerCase()}.`, undefined, {
      entity: entity.path,
      operation: name,
    });
  const locked = await lockRecord(unit, entity, id, version);
  await settle(unit, entity, { kind: 'action', id, before: locked.row, changes: [], name });
}
