import type { TableSchema } from '#kernel';
import type { Attribute } from './introspect.ts';

/**
 * All ways in which a list of `count` columns, seen some time between `previous` and the catalog, can
 * stand for attribute numbers; ascending, at most two of them (two means ambiguous).
 *
 * What is certain: numbers only grow and are never used again; a number that lives in the catalog
 * lived since it was given; one that `previous` no longer had (up to its last number) was gone.
 * So the list holds every number of `previous` that still lives, perhaps some that are dropped by now,
 * and of the newer ones every living one up to the highest number then given.
 */
export function alignments(
  previous: TableSchema,
  count: number,
  attributes: readonly Attribute[],
): readonly (readonly number[])[] {
  const known = new Set(previous.columns.map((column) => column.attnum));
  const last = previous.origin?.lastAttnum ?? Math.max(0, ...known);
  const living = (attribute: Attribute): boolean => attribute.published;
  const old = attributes.filter((attribute) => known.has(attribute.attnum));
  if (old.length < known.size) return [];
  // A generated column became an ordinary one: it was there all along, yet `previous` does not have it.
  if (
    attributes.some(
      (attribute) => living(attribute) && attribute.attnum <= last && !known.has(attribute.attnum),
    )
  ) {
    return [];
  }
  // Unpublished generated columns never are in the list; dropped ones may have been.
  const newer = attributes.filter(
    (attribute) => attribute.attnum > last && (attribute.dropped || living(attribute)),
  );
  const found: number[][] = [];
  // The newest living number decides how far numbering had come: `reach` of the newer ones existed.
  const livingNewer = newer.filter(living);
  for (let reach = 0; reach <= livingNewer.length; reach += 1) {
    const certain = [...old.filter(living), ...livingNewer.slice(0, reach)];
    const ceiling = livingNewer[reach]?.attnum ?? Number.POSITIVE_INFINITY;
    const optional = [
      ...old.filter((attribute) => attribute.dropped),
      ...newer.filter((attribute) => attribute.dropped && attribute.attnum < ceiling),
    ];
    const missing = count - certain.length;
    if (missing < 0 || missing > optional.length) continue;
    for (const chosen of choose(optional, missing, 2 - found.length)) {
      found.push([...certain, ...chosen].map((attribute) => attribute.attnum).sort((a, b) => a - b));
    }
    if (found.length >= 2) break;
  }
  return found;
}

/** Up to `limit` subsets of the given size. */
function choose<T>(items: readonly T[], size: number, limit: number): T[][] {
  if (limit <= 0) return [];
  if (size === 0) return [[]];
  const found: T[][] = [];
  for (let index = 0; index + size <= items.length && found.length < limit; index += 1) {
    for (const rest of choose(items.slice(index + 1), size - 1, limit - found.length)) {
      found.push([items[index]!, ...rest]);
    }
  }
  return found;
}
