import { AMENDED_FROM } from '../../definitions/index.ts';
import type { EntityInfo } from '../model/catalogue.ts';
import { problem } from '../model/problem.ts';
import { childRows, insertChildren } from './children.ts';
import type { Given, GivenColumn } from './given.ts';
import { lockRecord } from './lock.ts';
import { insertRecord } from './operations.ts';
import { Binder, ofTenant, type StoredRow, type Unit } from './unit.ts';

/**
 * A new draft with the values of a cancelled document and of its rows; it says what it amends. Errors:
 * RECORD_NOT_FOUND, PERMISSION_DENIED, TRANSITION_REFUSED (it is not cancelled, or was amended already).
 */
export async function amendRecord(unit: Unit, entity: EntityInfo, id: string): Promise<string> {
  const { submittable } = entity.model;
  if (!submittable) throw problem('TRANSITION_UNKNOWN', `${entity.path} has no documents to amend.`);
  if (!unit.access.rights(entity).create)
    throw problem('PERMISSION_DENIED', `${entity.model.label}: you may not create it.`, undefined, {
      entity: entity.path,
      operation: 'create',
    });
  const { row, state } = await lockRecord(unit, entity, id);
  if (!submittable.cancelled.includes(state!))
    throw problem(
      'TRANSITION_REFUSED',
      `${entity.model.label} is ${state}: only a cancelled one is amended.`,
    );
  const binder = new Binder();
  const earlier = await unit.tx.run({
    ...binder.statement(
      `SELECT 1 FROM ${entity.table} t WHERE t.${AMENDED_FROM} = ${binder.add(id)}${ofTenant(entity, binder, unit.identity.tenant)} LIMIT 1`,
    ),
    elevated: true,
  });
  if (earlier.rows.length > 0)
    throw problem('TRANSITION_REFUSED', `${entity.model.label} has been amended already.`);
  const given = copyOf(entity, row);
  const amended = await insertRecord(unit, entity, {
    ...given,
    columns: new Map([...given.columns, [AMENDED_FROM, { value: id, type: 'bigint' }]]),
  });
  const copy = amended.get('id')!;
  await copyChildren(unit, entity, id, copy);
  return copy;
}

/** What people gave: neither numbers, states, nor what is computed. */
function copyOf(entity: EntityInfo, row: StoredRow): Given {
  const columns = new Map<string, GivenColumn>();
  for (const field of entity.fields.values()) {
    if (field.fixed || field.model === undefined || ('unique' in field.model && field.model.unique)) continue;
    for (const column of field.columns) {
      const type = field.columns.length === 1 ? field.sqlType : column.endsWith('_id') ? 'bigint' : 'text';
      columns.set(column, { value: row.get(column) ?? null, type });
    }
  }
  return { columns, children: new Map(), references: [] };
}

async function copyChildren(unit: Unit, entity: EntityInfo, from: string, to: string): Promise<void> {
  for (const field of entity.fields.values()) {
    if (field.kind !== 'childTable') continue;
    const child = unit.model.catalogue.entity(field.entities[0]!);
    const originals = [...(await childRows(unit, child, from)).values()];
    const copies = await insertChildren(
      unit,
      child,
      to,
      originals.map((row, index) => ({ given: copyOf(child, row), position: index + 1 })),
    );
    for (const [index, row] of originals.entries())
      await copyChildren(unit, child, row.get('id')!, copies[index]!.get('id')!);
  }
}
