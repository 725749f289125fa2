import { columnSql, type EntityInfo } from '../model/catalogue.ts';
import { problem } from '../model/problem.ts';
import type { Values } from '../types.ts';
import { insertChildren, replaceChildren, storedValues } from './children.ts';
import type { Given } from './given.ts';
import { type Locked, lockRecord, lockStatement, notFound, stateOf } from './lock.ts';
import { takeNumber } from './numbering.ts';
import { checkReferences } from './references.ts';
import { workOut } from './roll-ups.ts';
import { changesBetween } from './trail.ts';
import { Binder, currentRow, type StoredRow, storedRow, type Unit } from './unit.ts';
import { checkValues } from './values.ts';

type Operation = 'create' | 'update' | 'delete';

function assertMay(unit: Unit, entity: EntityInfo, operation: Operation): void {
  if (!unit.access.rights(entity)[operation])
    throw problem('PERMISSION_DENIED', `${entity.model.label}: you may not ${operation} it.`, undefined, {
      entity: entity.path,
      operation,
    });
}

const rulesOf = (unit: Unit) => ({ catalogue: unit.model.catalogue, rights: unit.access.rights });

/** Returns the new record's id. */
export async function createRecord(unit: Unit, entity: EntityInfo, values: Values): Promise<string> {
  assertMay(unit, entity, 'create');
  const given = checkValues(rulesOf(unit), entity, values, 'create');
  await checkReferences(unit, given.references);
  return (await insertRecord(unit, entity, given)).get('id')!;
}

/** Writes a record that has been checked, with its children; as the principal, or as the app when elevated. */
export async function insertRecord(unit: Unit, entity: EntityInfo, given: Given): Promise<StoredRow> {
  const binder = new Binder();
  const stored = storedValues(given, binder);
  const writer = unit.model.rows(entity);
  if (entity.model.numbering)
    stored.set(entity.model.numbering.field, binder.add(await takeNumber(unit, entity)));
  if (entity.tenantScoped) stored.set('tenant_id', binder.add(unit.identity.tenant));
  if (entity.parent) {
    const parent = given.columns.get(entity.parent.column)!;
    if (!stored.has('position'))
      stored.set(
        'position',
        `(SELECT coalesce(max(c.position), 0) + 1 FROM ${entity.table} c WHERE ${columnSql('c', entity.parent.column)} = ${binder.add(parent.value)}::bigint)`,
      );
    await assertParentOpen(unit, entity, String(parent.value));
  }
  const { rows } = await unit.tx.run(binder.statement(writer.insert([stored])));
  let row = storedRow(writer.columns, rows[0]!);
  const id = row.get('id')!;
  for (const [name, children] of given.children)
    await insertChildren(
      unit,
      unit.model.catalogue.entity(entity.fields.get(name)!.entities[0]!),
      id,
      children.map((child, index) => ({ given: child.given, position: index + 1 })),
    );
  // Its rows have made totals of their own.
  if (given.children.size > 0 && writer.rollUps.size > 0) row = (await currentRow(unit, entity, id)) ?? row;
  await unit.settle(entity, { kind: 'created', id, before: null, after: row });
  return row;
}

export async function updateRecord(
  unit: Unit,
  entity: EntityInfo,
  id: string,
  values: Values,
  version?: number,
): Promise<void> {
  assertMay(unit, entity, 'update');
  const given = checkValues(rulesOf(unit), entity, values, 'update');
  const locked = await lockRecord(unit, entity, id, version);
  assertEditable(entity, locked, Object.keys(values));
  if (entity.parent) await assertParentOpen(unit, entity, locked.row.get(entity.parent.column)!);
  await checkReferences(unit, given.references);
  const binder = new Binder();
  let after = await storeUpdate(unit, entity, id, binder, storedValues(given, binder));
  const changes = [];
  for (const [name, children] of given.children) {
    const child = unit.model.catalogue.entity(entity.fields.get(name)!.entities[0]!);
    changes.push(...(await replaceChildren(unit, child, name, id, children)));
  }
  if (unit.model.rows(entity).rollUps.size > 0) {
    await workOut(unit, entity, [id], true);
    after = (await currentRow(unit, entity, id)) ?? after;
  }
  changes.unshift(...changesBetween(entity, locked.row, after));
  await unit.settle(entity, { kind: 'updated', id, before: locked.row, after, changes });
}

/** PERMISSION_DENIED if the row is not one that may be changed, or not any more once it is. */
export async function storeUpdate(
  unit: Unit,
  entity: EntityInfo,
  id: string,
  binder: Binder,
  values: ReadonlyMap<string, string>,
  quiet = false,
): Promise<StoredRow> {
  const writer = unit.model.rows(entity);
  const { rows } = await unit.tx.run(
    binder.statement(writer.update(values, `t.id = ${binder.add(id)}`, quiet)),
  );
  if (!rows[0])
    throw problem('PERMISSION_DENIED', `${entity.model.label} ${id} is not yours to change.`, undefined, {
      entity: entity.path,
    });
  return storedRow(writer.columns, rows[0]);
}

export async function deleteRecord(
  unit: Unit,
  entity: EntityInfo,
  id: string,
  version?: number,
): Promise<void> {
  assertMay(unit, entity, 'delete');
  const locked = await lockRecord(unit, entity, id, version);
  const { submittable } = entity.model;
  if (submittable && !submittable.draft.includes(locked.state!))
    throw problem(
      'RECORD_SUBMITTED',
      `${entity.model.label} ${id} is ${locked.state} and can no longer be deleted.`,
    );
  if (entity.parent) await assertParentOpen(unit, entity, locked.row.get(entity.parent.column)!);
  await assertUnused(unit, entity, id);
  const binder = new Binder();
  const { count } = await unit.tx.run(
    binder.statement(`DELETE FROM ${entity.table} t WHERE t.id = ${binder.add(id)}`),
  );
  if (count === 0)
    throw problem('PERMISSION_DENIED', `${entity.model.label} ${id} is not yours to delete.`, undefined, {
      entity: entity.path,
    });
  await unit.settle(entity, { kind: 'deleted', id, before: locked.row, after: null });
}

/** References that may point to several entities have no foreign key. */
async function assertUnused(unit: Unit, entity: EntityInfo, id: string): Promise<void> {
  const pointing = (unit.model.catalogue.references.get(entity.path) ?? []).filter(
    ({ field }) => field.kind === 'anyReference',
  );
  if (pointing.length === 0) return;
  const outcomes = await unit.tx.runAll(
    pointing.map(({ entity: other, field }) => {
      const binder = new Binder();
      const [type, key] = field.columns.map((column) => columnSql('t', column));
      const text = `SELECT 1 FROM ${other.table} t WHERE ${type} = ${binder.add(entity.path)} AND ${key} = ${binder.add(id)} LIMIT 1`;
      return { ...binder.statement(text), elevated: true };
    }),
  );
  const at = outcomes.findIndex((one) => one.rows.length > 0);
  if (at >= 0)
    throw problem('RECORD_IN_USE', `${pointing[at]!.entity.model.plural} still refer to it.`, undefined, {
      entity: pointing[at]!.entity.path,
    });
}

/** A submitted document is fixed, but for what says otherwise. */
function assertEditable(entity: EntityInfo, locked: Locked, names: readonly string[]): void {
  const { submittable } = entity.model;
  if (!submittable || submittable.draft.includes(locked.state!)) return;
  const submitted = submittable.submitted.includes(locked.state!);
  const fixed = names.find((name) => {
    const model = entity.fields.get(name)?.model;
    return !(submitted && model !== undefined && 'editable' in model && model.editable === 'afterSubmit');
  });
  if (fixed !== undefined)
    throw problem('RECORD_SUBMITTED', `${entity.model.label} is ${locked.state} and fixed.`, fixed);
}

/** Rows of a child table are as fixed as their parent, for principals. Locks it. */
async function assertParentOpen(unit: Unit, entity: EntityInfo, parentId: string): Promise<void> {
  const parent = unit.model.catalogue.entity(entity.parent!.path);
  const { rows } = await unit.tx.run(lockStatement(unit, parent, parentId));
  if (!rows[0]) throw notFound(parent, parentId);
  const row = storedRow(unit.model.rows(parent).columns, rows[0]);
  const { submittable, states } = parent.model;
  if (unit.nesting.app === 0 && submittable && states && !submittable.draft.includes(stateOf(parent, row)!))
    throw problem('RECORD_SUBMITTED', `${parent.model.label} is ${stateOf(parent, row)} and fixed.`);
  if (parent.parent) await assertParentOpen(unit, parent, row.get(parent.parent.column)!);
}
