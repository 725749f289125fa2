import type { EntityInfo } from '../model/catalogue.ts';
import { runAutomations } from './automations.ts';
import { mustHold } from './checks.ts';
import { keepRollUps } from './roll-ups.ts';
import { changesBetween } from './trail.ts';
import type { Event, Unit } from './unit.ts';

/**
 * What follows from a change, in the same transaction: totals over the record, the trail, rules to be
 * held at the end, automations.
 */
export async function settle(unit: Unit, entity: EntityInfo, event: Event): Promise<void> {
  const { id, kind, before, after } = event;
  await keepRollUps(unit, entity, [{ before, after }], false);
  const changes = event.changes ?? changesBetween(entity, before, after);
  unit.trail.push({ entity, id, kind, changes, ...(event.name === undefined ? {} : { name: event.name }) });
  if (after) mustHold(unit, entity, id);
  if (entity.parent) {
    const parent = (after ?? before)?.get(entity.parent.column);
    if (parent) mustHold(unit, unit.model.catalogue.entity(entity.parent.path), parent);
  }
  await runAutomations(unit, entity, { ...event, changes });
}
