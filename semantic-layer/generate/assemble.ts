import { type AccessProfile, HubError, type WarehouseTable } from '#kernel';
import { type CuratedCube, type CuratedFile, isAddition } from './curated.ts';
import { governed } from './governed.ts';
import { ownReads } from './own-reads.ts';
import { allPlaces, type Places } from './places.ts';
import type { Loss } from './prune.ts';
import type { Cube, Model, View } from './types.ts';

export interface AssembleInput {
  readonly base: readonly Cube[];
  readonly tables: readonly WarehouseTable[];
  readonly profile: AccessProfile;
}

/**
 * Curated cubes over the base: each takes on its base's sub-query, members and joins and adds its own, which win.
 * A cube whose base or columns the profile does not see is left out and told among the losses. Errors: MODEL_CLASH,
 * MODEL_INVALID (user).
 */
export function assemble(
  files: readonly CuratedFile[],
  input: AssembleInput,
): { model: Model; losses: readonly Loss[] } {
  const losses: Loss[] = [];
  const cubes = new Map(input.base.map((cube) => [cube.name, cube]));
  const topics = new Map(input.base.map((cube) => [cube.name, topicOf(cube)]));
  const added = files.flatMap((file) => file.cubes.filter(isAddition));
  let waiting = files.flatMap((file) => file.cubes.filter((cube) => !isAddition(cube)));
  const places = allPlaces(files);
  refuseClashes(waiting, files, cubes, places);
  refuseOwnReads(files, input, places);
  // A cube may extend a curated one of any file: those that can be made are made until none is left.
  for (;;) {
    const ready = waiting.filter((cube) => cube.extends === undefined || cubes.has(cube.extends));
    if (ready.length === 0) break;
    for (const cube of ready) {
      const made =
        cube.extends === undefined ? ownSql(cube, topics, input) : extended(cube, cubes.get(cube.extends)!);
      if (typeof made === 'string') losses.push({ cube: cube.name, member: null, missing: made });
      else cubes.set(cube.name, made);
    }
    waiting = waiting.filter((cube) => !ready.includes(cube));
  }
  for (const cube of waiting) losses.push({ cube: cube.name, member: null, missing: cube.extends! });
  for (const more of added) {
    const cube = cubes.get(more.name);
    if (cube) cubes.set(more.name, enlarged(cube, more, places));
    else losses.push({ cube: more.name, member: null, missing: more.name });
  }
  const views: readonly View[] = files.flatMap((file) => file.views);
  return { model: { cubes: [...cubes.values()], views }, losses };
}

const topicOf = (cube: Cube): string => String(cube.meta?.topic);

function refuseClashes(
  curated: readonly CuratedCube[],
  files: readonly CuratedFile[],
  base: ReadonlyMap<string, Cube>,
  places: Places,
): void {
  const seen = new Set(base.keys());
  for (const { name } of [...curated, ...files.flatMap((file) => file.views)]) {
    if (seen.has(name)) {
      const other = base.has(name) ? ', beside the one of the table' : '';
      throw refusal(
        'MODEL_CLASH',
        places.get(name),
        `there are two cubes or views ${name}${other}.`,
        'Rename one of them.',
      );
    }
    seen.add(name);
  }
}

function refusal(code: string, places: readonly string[] = [], what: string, next: string): HubError {
  const at = places.join(' and ');
  return new HubError(code, `${at}: ${what}`, { next, disposition: 'user', details: { at, what } });
}

function refuseOwnReads(files: readonly CuratedFile[], { tables }: AssembleInput, places: Places): void {
  const databases = tables.map(({ database }) => database);
  for (const file of files)
    for (const { where, what } of ownReads(file, databases))
      throw refusal(
        'MODEL_UNGOVERNED',
        places.get(where),
        `${where} reads ${what} by itself, where no rule on rows would hold.`,
        'Extend the cube of the table, or read it as {cube(column, column)}.',
      );
}

/** Members that a cube is given from outside are new ones: what it has keeps its meaning. */
function enlarged(cube: Cube, more: CuratedCube, places: Places): Cube {
  const parts = (one: Cube | CuratedCube) => [...one.dimensions, ...one.measures, ...one.segments];
  const has = new Set([...parts(cube), ...cube.joins, ...cube.pre_aggregations].map(({ name }) => name));
  for (const { name } of [...parts(more), ...more.joins, ...more.pre_aggregations])
    if (has.has(name))
      throw refusal(
        'MODEL_CLASH',
        places.get(`${cube.name}.${name}`),
        `${cube.name} has a ${name} already.`,
        `Choose another name, or extend ${cube.name} in a cube of its own.`,
      );
  return {
    ...cube,
    joins: [...cube.joins, ...more.joins],
    dimensions: [...cube.dimensions, ...more.dimensions],
    measures: [...cube.measures, ...more.measures],
    segments: [...cube.segments, ...more.segments],
    pre_aggregations: [...cube.pre_aggregations, ...more.pre_aggregations],
  };
}

function extended(cube: CuratedCube, base: Cube): Cube {
  const { extends: _, sql: __, ...own } = cube;
  const given = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
  return {
    ...base,
    ...given,
    meta: { ...base.meta, ...cube.meta, extends: base.name },
    joins: merge(base.joins, cube.joins),
    ...separate(base, cube),
    segments: merge(base.segments, cube.segments),
    pre_aggregations: merge(base.pre_aggregations, cube.pre_aggregations),
  };
}

/** An own measure of the name of a base's dimension takes its place, and the other way round. */
function separate(base: Cube, cube: CuratedCube): Pick<Cube, 'dimensions' | 'measures'> {
  const named = (members: readonly { name: string }[]): Set<string> =>
    new Set(members.map(({ name }) => name));
  const [dimensions, measures] = [named(cube.dimensions), named(cube.measures)];
  return {
    dimensions: merge(
      base.dimensions.filter(({ name }) => !measures.has(name)),
      cube.dimensions,
    ),
    measures: merge(
      base.measures.filter(({ name }) => !dimensions.has(name)),
      cube.measures,
    ),
  };
}

/** The base's in its order, replaced where the own list has the name; then what is new. */
function merge<T extends { readonly name: string }>(base: readonly T[], own: readonly T[]): T[] {
  const byName = new Map(own.map((one) => [one.name, one]));
  const names = new Set(base.map(({ name }) => name));
  return [
    ...base.map((one) => (byName.has(one.name) ? { ...one, ...byName.get(one.name)! } : one)),
    ...own.filter(({ name }) => !names.has(name)),
  ];
}

const FROM = /\{([a-z_][a-z0-9_]*)\(([^(){}]*)\)\}/gi;

/**
 * A cube with SQL of its own reads other cubes as `{crm_account(id, status)}`: the governed sub-query with exactly
 * these columns. If one of them is hidden or masked, the whole cube is left out: returns what is missing.
 */
function ownSql(cube: CuratedCube, topics: ReadonlyMap<string, string>, input: AssembleInput): Cube | string {
  let missing: string | null = null;
  const byTopic = new Map(input.tables.map((table) => [table.topic, table]));
  const sql = cube.sql!.replaceAll(FROM, (_, name: string, list: string) => {
    const columns = list.split(',').map((column) => column.trim());
    const table = byTopic.get(topics.get(name) ?? '');
    const from = table && governed(table, input.profile, columns);
    if (from && from.masked.size === 0) return `(${from.sql})`;
    missing ??= table ? `${name}(${columns.join(', ')})` : name;
    return '';
  });
  if (missing !== null) return missing;
  const { extends: _, ...own } = cube;
  return { ...own, sql: sql.trim(), columns: null, masked: new Set() };
}
