import type { EntityInfo } from '../model/catalogue.ts';
import { changesBetween } from './trail.ts';
import { Binder, type Change, type StoredRow, storedRow, type Unit } from './unit.ts';

/** What has just happened to a record in this transaction. */
export type Event =
  | { readonly kind: 'created'; readonly id: string; readonly before: null }
  | {
      readonly kind: 'updated' | 'transition' | 'action';
      readonly id: string;
      readonly before: StoredRow;
      readonly changes: readonly Change[];
      readonly name?: string;
    }
  | { readonly kind: 'deleted'; readonly id: string; readonly before: StoredRow };

/** What follows from a change, in the same transaction: the trail. */
export async function settle(unit: Unit, entity: EntityInfo, event: Event): Promise<void> {
  const { id, kind } = event;
  if (kind === 'created') {
    const row = await currentRow(unit, entity, id);
    unit.trail.push({ entity, id, kind, changes: changesBetween(entity, null, row) });
  } else if (kind === 'deleted')
    unit.trail.push({ entity, id, kind, changes: changesBetween(entity, event.before, null) });
  else
    unit.trail.push({
      entity,
      id,
      kind,
      changes: event.changes,
      ...(event.name === undefined ? {} : { name: event.name }),
    });
}

/** A row as it is now, whoever may see it. */
export async function currentRow(unit: Unit, entity: EntityInfo, id: string): Promise<StoredRow | null> {
  const writer = unit.model.rows(entity);
  const binder = new Binder();
  const { rows } = await unit.tx.run({
    ...binder.statement(`SELECT ${writer.columnsSql} FROM ${entity.table} t WHERE t.id = ${binder.add(id)}`),
    elevated: true,
  });
  return rows[0] ? storedRow(writer.columns, rows[0]) : null;
}
