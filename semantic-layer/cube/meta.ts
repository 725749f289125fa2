import type { SemanticCube, SemanticJoin, SemanticMember, SemanticMeta } from '#kernel';

interface CubeMember extends SemanticMember {
  readonly isVisible?: boolean;
  readonly cumulativeTotal?: boolean;
}
interface CubeConfig extends Omit<SemanticCube, 'joins'> {
  readonly measures: readonly CubeMember[];
  readonly joins?: readonly SemanticJoin[];
  readonly isVisible?: boolean;
  readonly public?: boolean;
}

/** Cube's meta as the port has it: what is public. */
export function metaOf(version: string, message: object): SemanticMeta {
  const { cubes } = message as { readonly cubes: readonly CubeConfig[] };
  return {
    version,
    cubes: cubes
      .filter((cube) => cube.isVisible !== false && cube.public !== false)
      .map((cube) => ({
        name: cube.name,
        type: cube.type,
        title: cube.title,
        ...optional(cube, 'description', 'connectedComponent', 'meta'),
        measures: cube.measures.map(memberOf),
        dimensions: cube.dimensions.map(memberOf),
        segments: cube.segments.map(memberOf),
        joins: (cube.joins ?? []).map(({ name, relationship }) => ({ name, relationship })),
      })),
  };
}

const memberOf = (member: CubeMember): SemanticMember => ({
  name: member.name,
  title: member.title,
  shortTitle: member.shortTitle,
  type: member.type,
  ...optional(aggregated(member), 'description', 'format', 'aggType', 'primaryKey', 'aliasMember', 'meta'),
  ...(member.cumulative || member.cumulativeTotal ? { cumulative: true } : {}),
});

/** An average kept in a roll-up is a calculation to Cube (generate/averages.ts). */
const aggregated = (member: CubeMember): CubeMember =>
  typeof member.meta?.aggregate === 'string' ? { ...member, aggType: member.meta.aggregate } : member;

function optional<T extends object, K extends keyof T>(from: T, ...keys: K[]): Partial<Pick<T, K>> {
  return Object.fromEntries(
    keys.flatMap((key) => (from[key] === undefined || from[key] === null ? [] : [[key, from[key]]])),
  ) as Partial<Pick<T, K>>;
}
