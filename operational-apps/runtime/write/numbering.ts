import { pgTable } from '#kernel';
import { NUMBERING_TABLE } from '../../definitions/index.ts';
import type { EntityInfo } from '../model/catalogue.ts';
import type { Statement } from '../sessions/index.ts';
import { Binder, type Unit } from './unit.ts';

/**
 * The next number of an entity's series. Gapless: taken in this transaction, so that it is given back
 * with everything else; writers of the series wait for each other. Otherwise in one of its own, before:
 * nobody waits, and what fails afterwards leaves a gap.
 */
export async function takeNumber(unit: Unit, entity: EntityInfo): Promise<string> {
  const numbering = entity.model.numbering!;
  const statement = nextNumber(entity, entity.tenantScoped ? unit.identity.tenant : '');
  const { rows } = numbering.gapless
    ? await unit.tx.elevated(() => unit.tx.run(statement))
    : await unit.sessions.alone(unit.identity, statement);
  return `${numbering.prefix}${rows[0]![0]!.padStart(numbering.digits, '0')}`;
}

function nextNumber(entity: EntityInfo, tenant: string): Statement {
  const binder = new Binder();
  const values = [
    binder.add(tenant),
    binder.add(entity.model.name),
    `${binder.add(String(entity.model.numbering!.start))}::bigint`,
  ];
  return binder.statement(
    `INSERT INTO ${pgTable(entity.model.app, NUMBERING_TABLE)} AS s (tenant_id, series, last_value) VALUES (${values.join(', ')})
     ON CONFLICT (tenant_id, series) DO UPDATE SET last_value = s.last_value + 1 RETURNING last_value::text`,
  );
}
