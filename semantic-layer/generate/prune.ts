import { referencesOf } from './references.ts';
import type { Cube, Member, Model, PreAggregation, View, ViewInclude, ViewPart } from './types.ts';

/** A member or view that a model has lost, and what for; for `bac model check`. */
export interface Loss {
  readonly cube: string;
  readonly member: string | null;
  /** `cube.column`, `cube.member` or cube that is not there. */
  readonly missing: string;
}

export interface Pruned {
  readonly model: Model;
  readonly losses: readonly Loss[];
}

/**
 * The model without what needs a column, member or cube that is not there, directly or by way of others.
 * What is left compiles and reaches nothing that was taken away.
 */
export function prune(model: Model): Pruned {
  const losses: Loss[] = [];
  let cubes = model.cubes;
  for (;;) {
    const before = losses.length;
    const known = index(cubes);
    cubes = cubes.map((cube) => pruneCube(cube, known, losses));
    if (losses.length === before) break;
  }
  const known = index(cubes);
  const views = model.views.flatMap((view) => pruneView(view, known, losses) ?? []);
  return { model: { cubes, views }, losses };
}

interface Known {
  readonly cubes: ReadonlyMap<string, Cube>;
  readonly names: ReadonlySet<string>;
  readonly members: ReadonlyMap<string, ReadonlySet<string>>;
  /** By cube, those its joins lead to, by way of others, too. */
  readonly reach: (cube: string) => ReadonlySet<string>;
}

const memberNames = (cube: Cube): Set<string> =>
  new Set([...cube.dimensions, ...cube.measures, ...cube.segments].map(({ name }) => name));

function index(cubes: readonly Cube[]): Known {
  const joins = new Map(cubes.map((cube) => [cube.name, cube.joins.map(({ name }) => name)]));
  const reached = new Map<string, ReadonlySet<string>>();
  const reach = (cube: string): ReadonlySet<string> => {
    const known = reached.get(cube);
    if (known) return known;
    const found = new Set([cube]);
    for (const name of found) for (const next of joins.get(name) ?? []) found.add(next);
    reached.set(cube, found);
    return found;
  };
  return {
    reach,
    cubes: new Map(cubes.map((cube) => [cube.name, cube])),
    names: new Set(cubes.map(({ name }) => name)),
    members: new Map(cubes.map((cube) => [cube.name, memberNames(cube)])),
  };
}

function pruneCube(cube: Cube, known: Known, losses: Loss[]): Cube {
  const keep = (member: Member): boolean => {
    const missing = [member.sql, ...(member.filters ?? []).map(({ sql }) => sql)].flatMap((sql) =>
      sql === undefined ? [] : (firstMissing(sql, cube, known, member) ?? []),
    );
    if (missing.length > 0) losses.push({ cube: cube.name, member: member.name, missing: missing[0]! });
    return missing.length === 0;
  };
  const joins = cube.joins.filter((join) => {
    const missing = known.names.has(join.name) ? firstMissing(join.sql, cube, known) : join.name;
    if (missing !== null) losses.push({ cube: cube.name, member: join.name, missing });
    return missing === null;
  });
  const dimensions = cube.dimensions.filter(keep);
  const measures = cube.measures.filter(keep);
  const segments = cube.segments.filter(keep);
  const left = { ...cube, joins, dimensions, measures, segments };
  const own = memberNames(left);
  return {
    ...left,
    measures: measures.map((measure) => drillsOf(measure, own)),
    pre_aggregations: cube.pre_aggregations.filter((one) => {
      const missing = rollUpMembers(one).find((name) => {
        const [other, member] = name.includes('.') ? name.split('.').slice(-2) : [cube.name, name];
        return !(other === cube.name ? own : known.members.get(other!))?.has(member!);
      });
      if (missing !== undefined)
        losses.push({
          cube: cube.name,
          member: one.name,
          missing: missing.includes('.') ? missing : `${cube.name}.${missing}`,
        });
      return missing === undefined;
    }),
  };
}

const drillsOf = (measure: Member, own: ReadonlySet<string>): Member =>
  measure.drill_members?.every((name) => own.has(name)) === false
    ? { ...measure, drill_members: measure.drill_members.filter((name) => own.has(name)) }
    : measure;

const rollUpMembers = (one: PreAggregation): string[] => [
  ...(one.measures ?? []),
  ...(one.dimensions ?? []),
  ...(one.segments ?? []),
  ...(one.time_dimension === undefined ? [] : [one.time_dimension]),
];

function firstMissing(sql: string, cube: Cube, known: Known, member?: Member): string | null {
  const { columns, members } = referencesOf(sql, known.names);
  const near = known.reach(cube.name);
  for (const [name] of [...columns, ...members])
    if (name !== 'CUBE' && !near.has(name)) return known.names.has(name) ? `${cube.name} -> ${name}` : name;
  for (const [name, column] of columns) {
    const target = name === 'CUBE' ? cube : known.cubes.get(name);
    if (!target || (target.columns !== null && !target.columns.has(column))) return `${name}.${column}`;
    if (target.masked.has(column) && !showsMask(member, column)) return `${name}.${column}`;
  }
  for (const [name, wanted] of members) {
    if (wanted === 'CUBE' || (name === 'CUBE' && known.names.has(wanted))) continue;
    const target = name === 'CUBE' ? cube.name : name;
    if (!known.members.get(target)?.has(wanted)) return `${target}.${wanted}`;
  }
  return null;
}

/** A masked column has its dimension, and nothing else is made of it: counted or compared, it would say more. */
const showsMask = (member: Member | undefined, column: string): boolean =>
  member?.meta?.masked === true && member.sql === `toString({CUBE}.\`${column}\`)`;

function pruneView(view: View, known: Known, losses: Loss[]): View | null {
  const parts = view.cubes.flatMap((part) => prunePart(view, part, known, losses) ?? []);
  return parts.length === 0 ? null : { ...view, cubes: parts };
}

/** Includes are written out, so that a view shows what its file names and nothing that comes later. */
function prunePart(view: View, part: ViewPart, known: Known, losses: Loss[]): ViewPart | null {
  const lose = (member: string | null, missing: string): null => {
    losses.push({ cube: view.name, member, missing });
    return null;
  };
  const path = part.join_path.split('.');
  for (const [at, name] of path.entries()) {
    const cube = known.cubes.get(name);
    if (!cube) return lose(null, name);
    const next = path[at + 1];
    if (next !== undefined && !cube.joins.some((join) => join.name === next))
      return lose(null, `${name} -> ${next}`);
  }
  const cube = path.at(-1)!;
  const members = known.members.get(cube)!;
  const nameOf = (one: string | ViewInclude): string => (typeof one === 'string' ? one : one.name);
  const wanted = part.includes === '*' ? [...members] : part.includes;
  const includes = wanted.filter((one) => {
    if (part.excludes?.includes(nameOf(one))) return false;
    if (members.has(nameOf(one))) return true;
    lose(nameOf(one), `${cube}.${nameOf(one)}`);
    return false;
  });
  if (includes.length === 0) return null;
  return { join_path: part.join_path, prefix: part.prefix, alias: part.alias, includes };
}
