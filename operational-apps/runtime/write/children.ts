import { columnSql, type EntityInfo } from '../model/catalogue.ts';
import { problem } from '../model/problem.ts';
import { changesBetween, wholeRow } from './trail.ts';
import { Binder, type Change, ofTenant, type StoredRow, storedRow, type Unit } from './unit.ts';
import type { Given, GivenChild } from './values.ts';

const ROWS_PER_STATEMENT = 200;

/** SQL of given values, by column, as parameters of `binder`. */
export function storedValues(given: Given, binder: Binder): Map<string, string> {
  return new Map(
    [...given.columns].map(([column, { value, type }]) => [column, `${binder.add(value)}::${type}`]),
  );
}

/** New rows of a child table, and theirs, in order; `from` is the position before the first. */
export async function insertChildren(
  unit: Unit,
  child: EntityInfo,
  parentId: string,
  rows: readonly { readonly given: Given; readonly position: number }[],
): Promise<string[]> {
  const ids: string[] = [];
  for (let at = 0; at < rows.length; at += ROWS_PER_STATEMENT) {
    const binder = new Binder();
    const piece = rows.slice(at, at + ROWS_PER_STATEMENT).map(({ given, position }) => {
      const values = storedValues(given, binder);
      values.set(child.parent!.column, binder.add(parentId));
      values.set('position', binder.add(String(position)));
      if (child.tenantScoped) values.set('tenant_id', binder.add(unit.identity.tenant));
      return values;
    });
    const inserted = await unit.tx.run(
      binder.statement(unit.model.rows(child).insert(piece), piece.length === 1),
    );
    ids.push(...inserted.rows.map(([id]) => id!));
  }
  for (const [index, { given }] of rows.entries())
    for (const [name, inner] of given.children)
      await insertChildren(
        unit,
        unit.model.catalogue.entity(child.fields.get(name)!.entities[0]!),
        ids[index]!,
        inner.map((one, place) => ({ given: one.given, position: place + 1 })),
      );
  return ids;
}

/**
 * Makes the rows of a child table those that are given, in their order: known ids are changed, rows
 * without id are new, rows not mentioned go. Returns what changed. Error: VALUE_INVALID for an id that
 * is none of the parent's.
 */
export async function replaceChildren(
  unit: Unit,
  child: EntityInfo,
  field: string,
  parentId: string,
  rows: readonly GivenChild[],
): Promise<Change[]> {
  const before = await currentChildren(unit, child, parentId);
  const changes: Change[] = [];
  for (const { id, path } of rows)
    if (id !== undefined && !before.has(id))
      throw problem('VALUE_INVALID', `There is no row ${id} here.`, `${path}.id`);
  const kept = new Set(rows.map((row) => row.id));
  const gone = [...before.keys()].filter((id) => !kept.has(id));
  for (const id of gone) {
    const binder = new Binder();
    unit.tx.later(binder.statement(`DELETE FROM ${child.table} t WHERE t.id = ${binder.add(id)}`));
    changes.push({ field: `${field}.${id}`, old: wholeRow(child, before.get(id)!), new: null });
  }
  for (const [index, row] of rows.entries())
    if (row.id !== undefined)
      changes.push(...(await updateChild(unit, child, field, before.get(row.id)!, row, index + 1)));
  const fresh = rows.flatMap((row, index) =>
    row.id === undefined ? [{ given: row.given, position: index + 1 }] : [],
  );
  const ids = await insertChildren(unit, child, parentId, fresh);
  if (ids.length > 0) {
    const after = await currentChildren(unit, child, parentId);
    for (const id of ids) {
      const stored = after.get(id);
      if (stored) changes.push({ field: `${field}.${id}`, old: null, new: wholeRow(child, stored) });
    }
  }
  return changes;
}

async function updateChild(
  unit: Unit,
  child: EntityInfo,
  field: string,
  before: StoredRow,
  row: GivenChild,
  position: number,
): Promise<Change[]> {
  const id = row.id!;
  const binder = new Binder();
  const values = storedValues(row.given, binder);
  if (before.get('position') !== String(position)) values.set('position', binder.add(String(position)));
  const changes: Change[] = [];
  if (values.size > 0) {
    const writer = unit.model.rows(child);
    const { rows } = await unit.tx.run(binder.statement(writer.update(values, `t.id = ${binder.add(id)}`)));
    if (!rows[0]) throw problem('PERMISSION_DENIED', 'The row is not yours to change.', row.path);
    changes.push(...changesBetween(child, before, storedRow(writer.columns, rows[0]), `${field}.${id}.`));
  }
  for (const [name, inner] of row.given.children) {
    const grandchild = unit.model.catalogue.entity(child.fields.get(name)!.entities[0]!);
    changes.push(...(await replaceChildren(unit, grandchild, `${field}.${id}.${name}`, id, inner)));
  }
  return changes;
}

async function currentChildren(
  unit: Unit,
  child: EntityInfo,
  parentId: string,
): Promise<Map<string, StoredRow>> {
  const writer = unit.model.rows(child);
  const binder = new Binder();
  const { rows } = await unit.tx.run(
    binder.statement(
      `SELECT ${writer.columnsSql} FROM ${child.table} t WHERE ${columnSql('t', child.parent!.column)} = ${binder.add(parentId)}${ofTenant(child, binder, unit.identity.tenant)} ORDER BY t.position, t.id`,
    ),
  );
  return new Map(
    rows.map((row) => [storedRow(writer.columns, row).get('id')!, storedRow(writer.columns, row)]),
  );
}
