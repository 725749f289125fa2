import type { Places } from '../generate/places.ts';

/**
 * The place of what Cube complains about, as far as its text names it: a member of a cube (`orders cube:
 * "measures.revenue.type" ...`, `orders.revenue`), else a cube.
 */
export function placeIn(message: string, places: Places): string | undefined {
  const words = message.match(/[A-Za-z_]\w*/g) ?? [];
  const cubes = words.filter((word) => places.has(word));
  for (const cube of cubes)
    for (const word of words) {
      const found = places.get(`${cube}.${word}`);
      if (found) return found[0];
    }
  return cubes.flatMap((cube) => places.get(cube) ?? [])[0];
}
