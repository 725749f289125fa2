import type { SemanticCube, SemanticMember, SemanticMeta } from '#kernel';
import type { SqlType } from '../types.ts';

/** A dimension or measure as a column. */
export interface Member {
  /** `cube.member`, as the semantic layer calls it. */
  readonly name: string;
  /** As SQL calls it. */
  readonly column: string;
  readonly kind: 'dimension' | 'measure';
  readonly type: SqlType;
  /** Dimension that is a time: it has granularities. */
  readonly time: boolean;
  readonly aggregate: string | null;
  /** Its value for a group is made of the values for parts of the group, by this function. */
  readonly additive: 'sum' | 'min' | 'max' | null;
  /** Cube it is defined in, for members of views. */
  readonly home: string;
  readonly primaryKey: boolean;
  readonly description: string | undefined;
}

/** A cube or view as a table. */
export interface Relation {
  readonly name: string;
  readonly view: boolean;
  readonly description: string | undefined;
  readonly members: ReadonlyMap<string, Member>;
  readonly segments: ReadonlyMap<string, string>;
  /** The measure that counts its rows. */
  readonly count: Member | null;
}

export interface Model {
  readonly version: string;
  readonly relations: ReadonlyMap<string, Relation>;
  /** Whether every row of cube `from` has at most one of cube `to`. */
  readonly single: (from: string, to: string) => boolean;
}

const DIMENSION_TYPES: Readonly<Record<string, SqlType>> = {
  string: 'text',
  number: 'numeric',
  boolean: 'bool',
  time: 'timestamp',
};

const MEASURE_TYPES: Readonly<Record<string, SqlType>> = {
  count: 'int8',
  countDistinct: 'int8',
  countDistinctApprox: 'int8',
  avg: 'float8',
  number: 'float8',
  string: 'text',
  time: 'timestamp',
  boolean: 'bool',
};

const ADDITIVE: Readonly<Record<string, Member['additive']>> = {
  count: 'sum',
  sum: 'sum',
  min: 'min',
  max: 'max',
};

const localName = (name: string): string => name.slice(name.indexOf('.') + 1);
const homeOf = (member: SemanticMember, cube: SemanticCube): string =>
  cube.type === 'cube' ? cube.name : (member.aliasMember?.split('.')[0] ?? '');

function dimension(member: SemanticMember, cube: SemanticCube): Member | null {
  const type = DIMENSION_TYPES[member.type];
  if (type === undefined) return null;
  return {
    name: member.name,
    column: localName(member.name),
    kind: 'dimension',
    type,
    time: type === 'timestamp',
    aggregate: null,
    additive: null,
    home: homeOf(member, cube),
    primaryKey: member.primaryKey === true && cube.type === 'cube',
    description: member.description ?? member.title,
  };
}

function measure(member: SemanticMember, cube: SemanticCube): Member {
  const aggregate = member.aggType ?? member.type;
  const type =
    member.type === 'time' || member.type === 'string' || member.type === 'boolean'
      ? MEASURE_TYPES[member.type]!
      : (MEASURE_TYPES[aggregate] ?? 'numeric');
  return {
    name: member.name,
    column: localName(member.name),
    kind: 'measure',
    type,
    time: false,
    aggregate,
    additive: member.cumulative === true ? null : (ADDITIVE[aggregate] ?? null),
    home: homeOf(member, cube),
    primaryKey: false,
    description: member.description ?? member.title,
  };
}

function relation(cube: SemanticCube): Relation {
  const members = new Map<string, Member>();
  for (const one of cube.dimensions) {
    const found = dimension(one, cube);
    if (found) members.set(found.column, found);
  }
  for (const one of cube.measures) {
    const found = measure(one, cube);
    if (!members.has(found.column)) members.set(found.column, found);
  }
  const count = members.get('count');
  return {
    name: cube.name,
    view: cube.type === 'view',
    description: cube.description ?? cube.title,
    members,
    segments: new Map(
      cube.segments
        .filter((segment) => !members.has(localName(segment.name)))
        .map((segment) => [localName(segment.name), segment.name]),
    ),
    count: count?.aggregate === 'count' ? count : null,
  };
}

const TO_ONE = new Set(['belongsTo', 'hasOne', 'many_to_one', 'one_to_one']);

const models = new WeakMap<SemanticMeta, Model>();

/** The principal's model as tables and columns. The same for the same `meta`. */
export function modelOf(meta: SemanticMeta): Model {
  const model = models.get(meta) ?? made(meta);
  models.set(meta, model);
  return model;
}

function made(meta: SemanticMeta): Model {
  const edges = new Map(
    meta.cubes.map((cube) => [
      cube.name,
      cube.joins.filter((join) => TO_ONE.has(join.relationship)).map((join) => join.name),
    ]),
  );
  const single = (from: string, to: string): boolean => {
    const seen = new Set([from]);
    for (const at of seen) {
      if (at === to) return to !== '';
      for (const next of edges.get(at) ?? []) seen.add(next);
    }
    return false;
  };
  return {
    version: meta.version,
    relations: new Map(meta.cubes.map((cube) => [cube.name, relation(cube)])),
    single,
  };
}
