import { addsRollups, type CuratedCube, type CuratedFile } from '../generate/curated.ts';
import type { Finding } from './findings.ts';

/**
 * Names that mean two things: two cubes or views of one name, two members of one cube, and a member named as a
 * cube, which Cube would take for a way to that cube wherever the member is referred to.
 */
export function clashes(
  files: readonly { readonly fileName: string; readonly file: CuratedFile }[],
  base: readonly string[],
): Finding[] {
  const findings: Finding[] = [];
  const places = new Map(base.map((name) => [name, 'the table of that name']));
  const clash = (where: string, message: string, hint?: string): void => {
    findings.push({ kind: 'clash', where, message, hint });
  };
  const cubes = new Set(base);
  for (const { fileName, file } of files)
    for (const { name } of [...file.cubes.filter((cube) => !addsRollups(cube)), ...file.views]) {
      const other = places.get(name);
      if (other !== undefined)
        clash(name, `${fileName} and ${other} both define ${name}.`, 'Rename one of them.');
      places.set(name, fileName);
    }
  for (const { file } of files) for (const { name } of file.cubes) cubes.add(name);
  for (const { fileName, file } of files)
    for (const cube of file.cubes)
      for (const [name, message] of memberClashes(cube, cubes))
        clash(`${cube.name}.${name}`, `${fileName}: ${message}`);
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
