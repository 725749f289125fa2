import { nearest } from '#kernel';
import type { Cube, Loss, Model } from '../generate/index.ts';
import type { Places } from '../generate/places.ts';
import type { Finding } from './findings.ts';

/** What a model has lost with everything visible: its column, member or cube is gone or was never there. */
export const orphans = (losses: readonly Loss[], model: Model, places: Places): Finding[] =>
  losses.map(({ cube, member, missing }) => ({
    kind: 'orphan',
    where: member === null ? cube : `${cube}.${member}`,
    at: places.get(member === null ? cube : `${cube}.${member}`)?.[0],
    message: `needs ${missing}, which is not there.`,
    hint: hintFor(cube, missing, model),
  }));

function hintFor(own: string, missing: string, { cubes }: Model): string | undefined {
  const names = cubes.map(({ name }) => name);
  const [first, last] = missing.split('.');
  const close =
    last === undefined
      ? nearest(missing, names)
      : nearest(last, partsOf(cubes, first === 'CUBE' ? own : first!));
  return close === null ? undefined : `Did you mean ${close}?`;
}

function partsOf(cubes: readonly Cube[], name: string): string[] {
  const cube = cubes.find((one) => one.name === name);
  if (!cube) return [];
  return [
    ...(cube.columns ?? []),
    ...cube.dimensions.map((one) => one.name),
    ...cube.measures.map((one) => one.name),
  ];
}
