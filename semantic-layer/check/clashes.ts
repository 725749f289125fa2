import { type CuratedCube, type CuratedFile, isAddition } from '../generate/curated.ts';
import { allPlaces } from '../generate/places.ts';
import type { Finding } from './findings.ts';

/**
 * Names that mean two things: two cubes or views of one name, two members of one cube, and a member named as a
 * cube, which Cube would take for a way to that cube wherever the member is referred to.
 */
export function clashes(files: readonly CuratedFile[], base: readonly string[]): Finding[] {
  const places = allPlaces(files);
  const there = (name: string): string | undefined => places.get(name)?.join(' and ');
  const findings: Finding[] = [];
  const seen = new Set(base);
  const twice = new Set<string>();
  for (const file of files)
    for (const { name } of [...file.cubes.filter((cube) => !isAddition(cube)), ...file.views]) {
      if (seen.has(name)) twice.add(name);
      seen.add(name);
    }
  for (const name of twice)
    findings.push({
      kind: 'clash',
      where: name,
      at: there(name),
      message: base.includes(name)
        ? `${name} is the cube of a table already.`
        : `There are two cubes or views ${name}.`,
      hint: base.includes(name)
        ? 'Choose another name; without `extends` and `sql`, members are added to that cube.'
        : 'Rename one of them.',
    });
  const cubes = new Set([...base, ...files.flatMap((file) => file.cubes.map(({ name }) => name))]);
  for (const file of files)
    for (const cube of file.cubes)
      for (const [name, message] of memberClashes(cube, cubes)) {
        const where = `${cube.name}.${name}`;
        findings.push({ kind: 'clash', where, at: there(where), message });
      }
  return findings;
}

function memberClashes(cube: CuratedCube, cubes: ReadonlySet<string>): [string, string][] {
  const seen = new Set<string>();
  return [...cube.dimensions, ...cube.measures, ...cube.segments].flatMap(({ name }): [string, string][] => {
    if (seen.has(name)) return [[name, `${cube.name} has two members ${name}.`]];
    seen.add(name);
    return cubes.has(name)
      ? [[name, `member ${name} of ${cube.name} has the name of a cube; choose another one.`]]
      : [];
  });
}
