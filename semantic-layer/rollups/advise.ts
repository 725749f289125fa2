import { stringify } from 'yaml';
import type { SemanticQuery } from '#kernel';
import { averageOf, type Cube, type Model } from '../generate/index.ts';
import type { QuestionShape } from './questions.ts';

/** Questions of one shape over some days. */
export interface AskedShape {
  readonly question: QuestionShape;
  readonly perDay: number;
  /** By one question, on average. */
  readonly rowsRead: number;
}

export interface Proposal {
  readonly cube: string;
  readonly name: string;
  readonly measures: readonly string[];
  readonly dimensions: readonly string[];
  readonly timeDimension: string;
  readonly granularity: string;
  /** Whose answer has a row for each row of the roll-up. */
  readonly question: SemanticQuery;
  readonly questionsPerDay: number;
  readonly rowsReadPerDay: number;
}

/** What is worth a roll-up at all. */
const LEAST_ROWS = 10_000;
const MOST_DIMENSIONS = 8;
/** Averages are kept as sum and number of their values. */
const KEPT = new Set(['count', 'sum', 'min', 'max', 'avg']);
const FINE_TO_COARSE = ['second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year'];

/**
 * Roll-ups that would have answered what was asked, those that save most first: one for each cube and time dimension,
 * with the dimensions by which most rows were read.
 */
export function propose({ cubes }: Model, asked: readonly AskedShape[]): Proposal[] {
  const byName = new Map(cubes.map((cube) => [cube.name, cube]));
  const groups = new Map<string, { cube: Cube; time: string; asked: AskedShape[] }>();
  for (const one of asked) {
    const cube = cubeOf(one.question, byName);
    const time = cube && timeOf(one.question, cube);
    if (!cube || time === undefined) continue;
    const key = `${cube.name} ${time}`;
    const group = groups.get(key) ?? { cube, time, asked: [] };
    group.asked.push(one);
    groups.set(key, group);
  }
  return [...groups.values()]
    .flatMap(({ cube, time, asked: all }) => proposal(cube, time, all) ?? [])
    .sort((a, b) => b.rowsReadPerDay - a.rowsReadPerDay);
}

/** The cube whose measures they are, if all add up and dimensions are its own, no times and not its key. */
function cubeOf({ measures, dimensions }: QuestionShape, cubes: ReadonlyMap<string, Cube>): Cube | undefined {
  const cube = cubes.get(measures[0]?.split('.')[0] ?? '');
  const own = (name: string, kind: 'measures' | 'dimensions') =>
    name.startsWith(`${cube?.name}.`)
      ? cube?.[kind].find((one) => name === `${cube.name}.${one.name}`)
      : undefined;
  const fits =
    measures.every((name) => KEPT.has(own(name, 'measures')?.type ?? '')) &&
    dimensions.every((name) => {
      const dimension = own(name, 'dimensions');
      return (
        dimension &&
        dimension.type !== 'time' &&
        dimension.primary_key !== true &&
        dimension.sub_query !== true
      );
    });
  return fits ? cube : undefined;
}

/** Its one time dimension; if it has none, the cube's first. */
function timeOf({ times }: QuestionShape, cube: Cube): string | undefined {
  if (times.length > 1) return undefined;
  const [time] = times;
  const names = cube.dimensions
    .filter(({ type }) => type === 'time')
    .map(({ name }) => `${cube.name}.${name}`);
  return time ? names.find((name) => name === time[0]) : names[0];
}

function proposal(cube: Cube, time: string, asked: readonly AskedShape[]): Proposal | null {
  const weight = new Map<string, number>();
  for (const { question, perDay, rowsRead } of asked)
    for (const name of question.dimensions) weight.set(name, (weight.get(name) ?? 0) + perDay * rowsRead);
  const kept = new Set(
    [...weight]
      .sort(([, a], [, b]) => b - a)
      .slice(0, MOST_DIMENSIONS)
      .map(([name]) => name),
  );
  const served = asked.filter(({ question }) => question.dimensions.every((name) => kept.has(name)));
  const rowsReadPerDay = served.reduce((sum, { perDay, rowsRead }) => sum + perDay * rowsRead, 0);
  if (!served.some(({ rowsRead }) => rowsRead >= LEAST_ROWS)) return null;
  const short = (name: string): string => name.slice(cube.name.length + 1);
  const needed = served.flatMap(({ question }) =>
    question.times.map(([, granularity]) => granularity ?? 'day'),
  );
  const finest = Math.min(FINE_TO_COARSE.indexOf('day'), ...needed.map((one) => FINE_TO_COARSE.indexOf(one)));
  const granularity = FINE_TO_COARSE[Math.max(0, finest)]!;
  const whole = new Map(cube.measures.map((one) => [`${cube.name}.${one.name}`, averageOf(one)]));
  const measures = [
    ...new Set(
      served.flatMap(({ question }) =>
        question.measures.map((name) => `${cube.name}.${whole.get(name) ?? short(name)}`),
      ),
    ),
  ].sort();
  // Whoever belongs to a tenant is answered from roll-ups that have the tenant only.
  if (cube.dimensions.some(({ name }) => name === 'tenant_id')) kept.add(`${cube.name}.tenant_id`);
  const dimensions = [...kept]
    .filter(
      (name) =>
        served.some(({ question }) => question.dimensions.includes(name)) || name.endsWith('.tenant_id'),
    )
    .sort();
  return {
    cube: cube.name,
    name: `${short(time)}_by_${granularity}`,
    measures: measures.map(short),
    dimensions: dimensions.map(short),
    timeDimension: short(time),
    granularity,
    question: { measures, dimensions, timeDimensions: [{ dimension: time, granularity }], timezone: 'UTC' },
    questionsPerDay: served.reduce((sum, { perDay }) => sum + perDay, 0),
    rowsReadPerDay,
  };
}

/** As a model file adds it to the cube. */
export function proposalYaml({
  cube,
  name,
  measures,
  dimensions,
  timeDimension,
  granularity,
}: Proposal): string {
  return stringify({
    cubes: [
      {
        name: cube,
        pre_aggregations: [
          {
            name,
            measures: [...measures],
            dimensions: [...dimensions],
            time_dimension: timeDimension,
            granularity,
          },
        ],
      },
    ],
  });
}
