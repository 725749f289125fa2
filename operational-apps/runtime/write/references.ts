import { problem } from '../model/problem.ts';
import { arrayParam } from '../model/values.ts';
import type { GivenReference } from './given.ts';
import { Binder, type Unit } from './unit.ts';

/**
 * What a principal points to it must be able to see: otherwise a reference would tell whether a record
 * is there. One query an entity, one round trip. Error: REFERENCE_UNKNOWN with the path.
 */
export async function checkReferences(unit: Unit, references: readonly GivenReference[]): Promise<void> {
  const byEntity = [...Map.groupBy(references, (one) => one.entity)];
  if (byEntity.length === 0) return;
  const outcomes = await unit.tx.runAll(
    byEntity.map(([path, list]) => {
      const binder = new Binder();
      const ids = binder.add(arrayParam([...new Set(list.map((one) => one.id))]));
      const { table } = unit.model.catalogue.entity(path);
      return binder.statement(`SELECT t.id::text FROM ${table} t WHERE t.id = ANY (${ids}::bigint[])`);
    }),
  );
  for (const [index, [, list]] of byEntity.entries()) {
    const seen = new Set(outcomes[index]!.rows.map(([id]) => id));
    for (const one of list)
      if (!seen.has(one.id))
        throw problem('REFERENCE_UNKNOWN', `There is no ${one.entity} ${one.id} that you may see.`, one.path);
  }
}
