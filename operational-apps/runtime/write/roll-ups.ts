import { pgIdent } from '#kernel';
import { type Apps, byName, type RollUpSource, rollUpsOver } from '../../definitions/index.ts';
import type { Catalogue, EntityInfo } from '../model/catalogue.ts';
import { arrayParam } from '../model/values.ts';
import { mustHold } from './checks.ts';
import { Binder, type StoredRow, storedRow, type Unit } from './unit.ts';

/** A row before and after a write; null = it was not, or is no longer, there. */
export interface Written {
  readonly before: StoredRow | null;
  readonly after: StoredRow | null;
}

const MOST_DEEP = 5;

/**
 * Works out anew every roll-up over rows that were written, and those that stand on these. `quietly`: the
 * record these rows belong to is being written itself, so its version does not grow once more.
 */
export async function keepRollUps(
  unit: Unit,
  entity: EntityInfo,
  written: readonly Written[],
  quietly: boolean,
  depth = 1,
): Promise<void> {
  const sources = sourcesOf(unit.model.catalogue, entity.path);
  const byTarget = Map.groupBy(sources, (source) => `${source.entity.app}.${source.entity.name}`);
  for (const [path, list] of byTarget) {
    const target = unit.model.catalogue.entity(path);
    const ids = new Set(list.flatMap((source) => pointedTo(source, written)));
    const quiet = quietly && entity.parent?.path === path;
    const changed = await workOut(unit, target, [...ids], quiet);
    for (const row of changed) mustHold(unit, target, row.get('id')!);
    if (changed.length > 0 && depth < MOST_DEEP)
      await keepRollUps(
        unit,
        target,
        changed.map((row) => ({ before: row, after: row })),
        false,
        depth + 1,
      );
  }
}

function pointedTo(source: RollUpSource, written: readonly Written[]): string[] {
  return written.flatMap(({ before, after }) =>
    [before, after].flatMap((row) => {
      const id = row?.get(source.column);
      const { entityColumn } = source;
      if (!id || (entityColumn && row?.get(entityColumn.column) !== entityColumn.value)) return [];
      return [id];
    }),
  );
}

/** Roll-ups of these rows as they are now; returns the rows that changed. */
export async function workOut(
  unit: Unit,
  entity: EntityInfo,
  ids: readonly string[],
  quiet: boolean,
): Promise<StoredRow[]> {
  const writer = unit.model.rows(entity);
  if (ids.length === 0 || writer.rollUps.size === 0) return [];
  const binder = new Binder();
  const differs = [...writer.rollUps].map(([column, sql]) => `t.${pgIdent(column)} IS DISTINCT FROM ${sql}`);
  const list = binder.add(arrayParam([...ids].sort((a, b) => a.length - b.length || (a < b ? -1 : 1))));
  const where = `t.id = ANY (${list}::bigint[]) AND (${differs.join(' OR ')})`;
  const { rows } = await unit.tx.run({
    ...binder.statement(writer.update(writer.rollUps, where, quiet)),
    elevated: true,
  });
  return rows.map((row) => storedRow(writer.columns, row));
}

const kept = new WeakMap<Catalogue, { apps: Apps; sources: Map<string, RollUpSource[]> }>();

function sourcesOf(catalogue: Catalogue, path: string): readonly RollUpSource[] {
  let known = kept.get(catalogue);
  if (!known) {
    known = { apps: byName(catalogue.apps), sources: new Map() };
    kept.set(catalogue, known);
  }
  let sources = known.sources.get(path);
  if (!sources) {
    sources = rollUpsOver(known.apps, path);
    known.sources.set(path, sources);
  }
  return sources;
}
