import type { Cube, Member, Model } from './types.ts';

/**
 * Averages do not add up; the sum and the number of their values do. An average that a roll-up names becomes the
 * quotient of both, which are hidden measures of its cube, and the roll-up holds these. ClickHouse's own `avg` divides
 * the same two numbers, so that the measure keeps its meaning whether or not it is read from a roll-up; other averages
 * stay as they are.
 */
export function splitAverages({ cubes, views }: Model): Model {
  const byName = new Map(cubes.map((cube) => [cube.name, cube]));
  const rolled = new Set(
    cubes.flatMap((cube) =>
      cube.pre_aggregations.flatMap(({ measures = [] }) =>
        measures.map((name) => wholeName(cube, name)).filter((name) => isAverage(find(byName, name))),
      ),
    ),
  );
  if (rolled.size === 0) return { cubes, views };
  return {
    views,
    cubes: cubes.map((cube) => ({
      ...cube,
      measures: cube.measures.flatMap((one) => (rolled.has(`${cube.name}.${one.name}`) ? split(one) : [one])),
      pre_aggregations: cube.pre_aggregations.map((one) => ({
        ...one,
        ...(one.measures && {
          measures: one.measures.flatMap((name) =>
            rolled.has(wholeName(cube, name)) ? [sumOf(name), valuesOf(name)] : [name],
          ),
        }),
      })),
    })),
  };
}

/** The average that a hidden measure is part of; its own name if it is none. */
export const averageOf = ({ name, meta }: Member): string =>
  typeof meta?.part_of === 'string' ? meta.part_of : name;

const sumOf = (name: string): string => `${name}__sum`;
const valuesOf = (name: string): string => `${name}__values`;

const wholeName = (cube: Cube, name: string): string =>
  name.includes('.') ? name.split('.').slice(-2).join('.') : `${cube.name}.${name}`;

function find(cubes: ReadonlyMap<string, Cube>, name: string): Member | undefined {
  const [cube, member] = name.split('.');
  return cubes.get(cube!)?.measures.find((one) => one.name === member);
}

const isAverage = (member: Member | undefined): boolean =>
  member?.type === 'avg' && member.rolling_window === undefined && member.multi_stage === undefined;

function split({ filters, sql = '', ...rest }: Member): Member[] {
  const { name } = rest;
  const part = (of: string, value: string): Member => ({
    name: of,
    type: 'sum',
    sql: value,
    ...(filters && { filters }),
    public: false,
    meta: { part_of: name },
  });
  return [
    {
      ...rest,
      type: 'number',
      sql: `toFloat64({${sumOf(name)}}) / nullIf({${valuesOf(name)}}, 0)`,
      // What SQL may call it; Cube itself would tell of a calculation.
      meta: { ...rest.meta, aggregate: 'avg' },
    },
    part(sumOf(name), sql),
    part(valuesOf(name), `toUInt8(isNotNull(${sql}))`),
  ];
}
