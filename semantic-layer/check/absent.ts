import type { Loss, Model } from '../generate/index.ts';

const keyOf = ({ cube, member }: Pick<Loss, 'cube' | 'member'>): string =>
  member === null ? cube : `${cube}.${member}`;

/** Cubes that `A`, `A.m`, `A(columns)` and `A -> B` name. */
const named = (missing: string): string[] => missing.split(' -> ').map((part) => part.split(/[.(]/)[0]!);

/**
 * Losses without those of the product's own files that follow from tables which are not captured here: of an app that
 * is not in use, its metrics are not missing.
 */
export function withoutAbsent(
  losses: readonly Loss[],
  { cubes }: Model,
  isProduct: (name: string) => boolean,
): Loss[] {
  const present = new Set(cubes.map(({ name }) => name));
  const gone = new Set<string>();
  let left = [...losses];
  for (;;) {
    const before = left.length;
    left = left.filter((loss) => {
      const own = loss.missing.replace(/^CUBE\b/, loss.cube);
      const absent = gone.has(own) || named(own).some((name) => !present.has(name));
      if (!absent || !isProduct(keyOf(loss))) return true;
      gone.add(keyOf(loss));
      return false;
    });
    if (left.length === before) return left;
  }
}
