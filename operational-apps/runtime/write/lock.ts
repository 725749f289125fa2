import { columnSql, type EntityInfo } from '../model/catalogue.ts';
import { problem } from '../model/problem.ts';
import { idOrNull } from '../read/list.ts';
import type { Step } from '../sessions/index.ts';
import { Binder, ofTenant, type StoredRow, storedRow, type Unit } from './unit.ts';

export interface Locked {
  readonly row: StoredRow;
  readonly version: number;
  readonly state: string | null;
}

/**
 * Locks a record the principal sees, until the end of the transaction. The lock is the app's: whether
 * the principal may change the row is for the policy of the statement that does. One round trip.
 * Errors: RECORD_NOT_FOUND, VERSION_STALE.
 */
export async function lockRecord(
  unit: Unit,
  entity: EntityInfo,
  id: string,
  version?: number,
): Promise<Locked> {
  const key = idOrNull(id);
  if (key === null) throw notFound(entity, id);
  if (entity.parent) lockParent(unit, entity, key);
  const seen = new Binder();
  const [visible, locked] = await unit.tx.runAll([
    seen.statement(
      `SELECT 1 FROM ${entity.table} t WHERE t.id = ${seen.add(key)}${ofTenant(entity, seen, unit.identity.tenant)}`,
    ),
    lockStatement(unit, entity, key),
  ]);
  const columns = unit.model.rows(entity).columns;
  if (visible!.rows.length === 0 || locked!.rows.length === 0) throw notFound(entity, id);
  const row = storedRow(columns, locked!.rows[0]!);
  const current = Number(row.get('version'));
  if (version !== undefined && version !== current)
    throw problem('VERSION_STALE', `${entity.model.label} ${id} was changed meanwhile.`, undefined, {
      current,
    });
  return { row, version: current, state: stateOf(entity, row) };
}

/** All columns of one record, locked by the app. */
export function lockStatement(unit: Unit, entity: EntityInfo, id: string): Step {
  const binder = new Binder();
  const text = `SELECT ${unit.model.rows(entity).columnsSql} FROM ${entity.table} t WHERE t.id = ${binder.add(id)}${ofTenant(entity, binder, unit.identity.tenant)} FOR UPDATE`;
  return { ...binder.statement(text), elevated: true };
}

/** Whoever writes a row of a child table holds its parent, so that totals and rules over all rows hold. */
function lockParent(unit: Unit, entity: EntityInfo, id: string): void {
  const { table } = unit.model.catalogue.entity(entity.parent!.path);
  const binder = new Binder();
  const key = binder.add(id);
  unit.tx.later({
    ...binder.statement(
      `SELECT 1 FROM ${table} p WHERE p.id = (SELECT ${columnSql('t', entity.parent!.column)} FROM ${entity.table} t WHERE t.id = ${key}) FOR UPDATE`,
    ),
    elevated: true,
  });
}

export const notFound = (entity: EntityInfo, id: string): Error =>
  problem(
    'RECORD_NOT_FOUND',
    `There is no ${entity.model.label} ${id.slice(0, 40)} that you may see.`,
    undefined,
    {
      entity: entity.path,
    },
  );

export const stateOf = (entity: EntityInfo, row: StoredRow): string | null =>
  entity.model.states ? (row.get(entity.model.states.field) ?? null) : null;
