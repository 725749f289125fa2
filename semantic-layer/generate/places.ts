import type { YamlPath, YamlSource } from '#kernel';

/** Where names stand in files: `orders` or `orders.revenue` to `sales.yaml:12`, each time it occurs, in order. */
export type Places = ReadonlyMap<string, readonly string[]>;

interface Named {
  readonly name: string;
}
type Parts = Readonly<Record<'joins' | 'dimensions' | 'measures' | 'segments' | 'pre_aggregations', Named[]>>;
interface Shape {
  readonly cubes: readonly (Named & Parts)[];
  readonly views: readonly (Named & {
    readonly cubes: readonly { readonly includes: '*' | readonly (string | Named)[] }[];
  })[];
}

const PARTS = ['joins', 'dimensions', 'measures', 'segments', 'pre_aggregations'] as const;

/** Of the cubes and views of one file, and what they have. */
export function placesOf(source: YamlSource, { cubes, views }: Shape): Places {
  const places = new Map<string, string[]>();
  const add = (name: string, path: YamlPath): void => {
    const { file, line } = source.problem(path, '');
    places.set(name, [...(places.get(name) ?? []), `${file}:${line}`]);
  };
  for (const [at, cube] of cubes.entries()) {
    add(cube.name, ['cubes', at]);
    for (const part of PARTS)
      for (const [index, { name }] of cube[part].entries())
        add(`${cube.name}.${name}`, ['cubes', at, part, index]);
  }
  for (const [at, view] of views.entries()) {
    add(view.name, ['views', at]);
    for (const [part, { includes }] of view.cubes.entries())
      for (const [index, one] of (includes === '*' ? [] : includes).entries())
        add(`${view.name}.${typeof one === 'string' ? one : one.name}`, [
          'views',
          at,
          'cubes',
          part,
          'includes',
          index,
        ]);
  }
  return places;
}

/** Of several files: all places of a name. */
export function allPlaces(files: readonly { readonly places: Places }[]): Places {
  const all = new Map<string, string[]>();
  for (const { places } of files)
    for (const [name, found] of places) all.set(name, [...(all.get(name) ?? []), ...found]);
  return all;
}
