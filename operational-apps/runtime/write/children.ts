import { columnSql, type EntityInfo } from '../model/catalogue.ts';
import { problem } from '../model/problem.ts';
import { mustHold } from './checks.ts';
import type { Given, GivenChild } from './given.ts';
import { keepRollUps, type Written, workOut } from './roll-ups.ts';
import { changesBetween, wholeRow } from './trail.ts';
import { Binder, type Change, ofTenant, type StoredRow, storedRow, type Unit } from './unit.ts';

const ROWS_PER_STATEMENT = 200;

/** SQL of given values, by column, as parameters of `binder`. */
export function storedValues(given: Given, binder: Binder): Map<string, string> {
  return new Map(
    [...given.columns].map(([column, { value, type }]) => [column, `${binder.add(value)}::${type}`]),
  );
}

/** New rows of a child table with their own rows, in order. Totals of the parent are kept. */
export async function insertChildren(
  unit: Unit,
  child: EntityInfo,
  parentId: string,
  rows: readonly { readonly given: Given; readonly position: number }[],
): Promise<StoredRow[]> {
  const inserted: StoredRow[] = [];
  const writer = unit.model.rows(child);
  for (let at = 0; at < rows.length; at += ROWS_PER_STATEMENT) {
    const binder = new Binder();
    const piece = rows.slice(at, at + ROWS_PER_STATEMENT).map(({ given, position }) => {
      const values = storedValues(given, binder);
      values.set(child.parent!.column, binder.add(parentId));
      values.set('position', binder.add(String(position)));
      if (child.tenantScoped) values.set('tenant_id', binder.add(unit.identity.tenant));
      return values;
    });
    const outcome = await unit.tx.run(binder.statement(writer.insert(piece), piece.length === 1));
    inserted.push(...outcome.rows.map((row) => storedRow(writer.columns, row)));
  }
  for (const row of inserted) mustHold(unit, child, row.get('id')!);
  for (const [index, { given }] of rows.entries())
    for (const [name, inner] of given.children)
      await insertChildren(
        unit,
        unit.model.catalogue.entity(child.fields.get(name)!.entities[0]!),
        inserted[index]!.get('id')!,
        inner.map((one, place) => ({ given: one.given, position: place + 1 })),
      );
  if (inserted.length > 0)
    await keepRollUps(
      unit,
      child,
      inserted.map((after) => ({ before: null, after })),
      true,
    );
  return inserted;
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
  const before = await childRows(unit, child, parentId);
  for (const { id, path } of rows)
    if (id !== undefined && !before.has(id))
      throw problem('VALUE_INVALID', `There is no row ${id} here.`, `${path}.id`);
  const written: Written[] = [];
  const changes: Change[] = [];
  const kept = new Set(rows.map((row) => row.id));
  for (const [id, row] of before) {
    if (kept.has(id)) continue;
    const binder = new Binder();
    unit.tx.later(binder.statement(`DELETE FROM ${child.table} t WHERE t.id = ${binder.add(id)}`));
    written.push({ before: row, after: null });
    changes.push({ field: `${field}.${id}`, old: wholeRow(child, row), new: null });
  }
  for (const [index, row] of rows.entries())
    if (row.id !== undefined) {
      const old = before.get(row.id)!;
      const result = await updateChild(unit, child, field, old, row, index + 1);
      changes.push(...result.changes);
      if (result.after) written.push({ before: old, after: result.after });
    }
  const fresh = rows.flatMap((row, index) =>
    row.id === undefined ? [{ given: row.given, position: index + 1 }] : [],
  );
  for (const row of await insertChildren(unit, child, parentId, fresh))
    changes.push({ field: `${field}.${row.get('id')}`, old: null, new: wholeRow(child, row) });
  if (written.length > 0) await keepRollUps(unit, child, written, true);
  return changes;
}

async function updateChild(
  unit: Unit,
  child: EntityInfo,
  field: string,
  before: StoredRow,
  row: GivenChild,
  position: number,
): Promise<{ changes: Change[]; after: StoredRow | null }> {
  const id = row.id!;
  const binder = new Binder();
  const values = storedValues(row.given, binder);
  if (before.get('position') !== String(position)) values.set('position', binder.add(String(position)));
  const changes: Change[] = [];
  let after: StoredRow | null = null;
  if (values.size > 0) {
    const writer = unit.model.rows(child);
    const { rows } = await unit.tx.run(binder.statement(writer.update(values, `t.id = ${binder.add(id)}`)));
    if (!rows[0]) throw problem('PERMISSION_DENIED', 'The row is not yours to change.', row.path);
    after = storedRow(writer.columns, rows[0]);
  }
  for (const [name, inner] of row.given.children) {
    const grandchild = unit.model.catalogue.entity(child.fields.get(name)!.entities[0]!);
    changes.push(...(await replaceChildren(unit, grandchild, `${field}.${id}.${name}`, id, inner)));
  }
  if (after) {
    mustHold(unit, child, id);
    after = (await workOut(unit, child, [id], true))[0] ?? after;
    changes.unshift(...changesBetween(child, before, after, `${field}.${id}.`));
  }
  return { changes, after };
}

/** The rows of a child table by id, in their order. */
export async function childRows(
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
  const stored = rows.map((row) => storedRow(writer.columns, row));
  return new Map(stored.map((row) => [row.get('id')!, row]));
}
