import type {
  Candidate,
  Filtered,
  PlannedQuery,
  PreAggregations,
  QueryClass,
  TimeMember,
} from './planned-query.ts';
import type { QuestionShape } from './questions.ts';
import { finestFor, fitsZone } from './zones.ts';

/**
 * Finds, with Cube's own matcher and planner, the roll-ups from which a question can be answered exactly, beside its
 * raw statement. Written for Cube 1.7.43 (planned-query.ts).
 */

/** In a statement over a roll-up, the place of its table. */
export const ROLLUP_TABLE = '__bac_rollup__';

/** A statement and the values for its places. */
export interface Unbound {
  readonly sql: string;
  readonly values: readonly unknown[];
}

/** A roll-up that Cube would answer a question from. */
export interface Alternative {
  /** `cube.name`. */
  readonly name: string;
  /** The question over the roll-up; `ROLLUP_TABLE` stands for its table. */
  readonly question: Unbound;
  /** What fills the roll-up, as this model has it: dimensions, time and measures, grouped. */
  readonly load: Unbound;
  /** The sub-query of the cube whose time dimension makes the buckets. */
  readonly base: string;
  readonly time: { readonly alias: string; readonly source: string };
  readonly granularity: string;
  /** Zone in which the question has times; its statement expects the roll-up's to be told there. */
  readonly timezone: string;
  readonly partitionGranularity: string | undefined;
  readonly dimensions: readonly { readonly alias: string; readonly source: string }[];
  readonly measures: readonly { readonly alias: string; readonly type: string }[];
}

/** Cube could not plan a question over its roll-up: why. */
export interface Unplanned {
  readonly failed: string;
}

/** Members of the question without their values: for advice on roll-ups. */
export interface Asked {
  readonly asked: QuestionShape;
}

/** What the planner says of a question beside its statement. */
export type PlannerNote = Alternative | Unplanned | Asked;

/** More are not looked at for one question. */
const MOST = 4;
const ADDITIVE = new Set(['count', 'sum', 'min', 'max']);
const GRANULARITIES = new Set([
  undefined,
  null,
  'second',
  'minute',
  'hour',
  'day',
  'week',
  'month',
  'quarter',
  'year',
]);

/**
 * A dialect whose statements are the raw ones, as if the model had no roll-ups, and whose description of
 * pre-aggregations is the `Alternative`s of the question.
 */
export function withRollups(base: object): object {
  const Base = base as QueryClass;
  /** Of its own name, by which Cube keeps its plans apart from the raw ones. */
  class OverRollup extends Base {
    override preAggregationTableName(): string {
      return ROLLUP_TABLE;
    }

    /** Cube works them out for each question; those of a plain roll-up differ by the question's joins only. */
    override newPreAggregations(): PreAggregations {
      const made = super.newPreAggregations();
      const evaluate = made.evaluateAllReferences.bind(made);
      made.evaluateAllReferences = (cube, aggregation, name = null, context = {}) =>
        name === null || aggregation.type !== 'rollup'
          ? evaluate(cube, aggregation, name, context)
          : ofModel(this.compilers, `references ${JSON.stringify([cube, name, context, this.join])}`, () =>
              evaluate(cube, aggregation, name, context),
            );
      return made;
    }

    /** Bounds of a range are moments: Cube's own roll-ups hold times as they are told in the question's zone. */
    override newTimeDimension(time: { dimension: string; granularity?: string }): TimeMember {
      const made = super.newTimeDimension(time);
      made.localDateTimeFromParam = () => made.dateFromParam();
      made.localDateTimeToParam = () => made.dateToParam();
      return made;
    }
  }
  return class RawDialect extends Base {
    override newPreAggregations(): PreAggregations {
      const made = super.newPreAggregations();
      made.findPreAggregationForQuery = () => undefined;
      made.preAggregationsDescription = () => {
        try {
          return [...alternatives(this, OverRollup), ...askedOf(this)];
        } catch (thrown) {
          return [{ failed: String(thrown) }]; // the raw plan stands
        }
      };
      return made;
    }
  };
}

function alternatives(query: PlannedQuery, OverRollup: QueryClass): Alternative[] {
  if (!eligible(query)) return [];
  const timezone = zoneOf(query);
  const rolled = new OverRollup(query.compilers, { ...query.options, paramAllocator: null, timezone });
  return query.compilers.compiler.withQuery(rolled, () => {
    const found = rolled.preAggregations
      .rollupMatchResults()
      .filter((one) => one.canUsePreAggregation && one.preAggregation.type === 'rollup')
      .filter(({ references: { timeDimensions: times } }) => {
        return times.length === 1 && fitsZone(times[0]!.granularity, timezone);
      })
      .slice(0, MOST);
    if (found.length === 0 || !additive(rolled)) return [];
    return found.map((candidate) => describe(query, OverRollup, candidate, timezone));
  });
}

/** A question without times is the same in every zone. */
const zoneOf = ({ timeDimensions, timezone }: PlannedQuery): string =>
  timeDimensions.length > 0 ? timezone : 'UTC';

function askedOf(query: PlannedQuery): Asked[] {
  const { cubeEvaluator, options } = query;
  if (query.ungrouped || options.preAggregationQuery || options.from || query.measures.length === 0)
    return [];
  if (query.allMembersConcat(false).some((member) => member.isMemberExpression)) return [];
  const owner = (path: string): string => {
    const short = path.split('.').slice(-2).join('.');
    return cubeEvaluator.byPathAnyType(short).aliasMember ?? short;
  };
  const leaves = query.collectFrom(
    query.measures,
    query.collectLeafMeasures.bind(query),
    'collectLeafMeasures',
  );
  const filtered = query.filters.flatMap((filter) => flat(filter.getMembers()));
  const dimensions = [...query.dimensions.map((one) => one.path()), ...filtered].flatMap((path) =>
    path && cubeEvaluator.isDimension(path) ? [owner(path.join('.'))] : [],
  );
  return [
    {
      asked: {
        measures: [...new Set(leaves.map(owner))].sort(),
        dimensions: [...new Set(dimensions)].sort(),
        times: query.timeDimensions.map((time) => [owner(time.dimension!), neededFor(query, time)]),
      },
    },
  ];
}

/** Granularity of a roll-up in UTC from which the question could be answered. */
function neededFor({ timezone }: PlannedQuery, time: PlannedQuery['timeDimensions'][number]): string | null {
  const needed = time.rollupGranularity();
  return timezone === 'UTC' || needed === null || fitsZone(needed, timezone) ? needed : finestFor(timezone);
}

/** What Cube's matcher does not ask for, and an exact answer needs. */
function eligible(query: PlannedQuery): boolean {
  const { cubeEvaluator, options } = query;
  if (query.ungrouped || options.preAggregationQuery || options.from || query.customSubQueryJoins.length > 0)
    return false;
  if (query.segments.length > 0 || query.measures.length === 0) return false;
  if (query.allMembersConcat(false).some((member) => member.isMemberExpression)) return false;
  const declared = (cube: string): boolean =>
    Object.keys(cubeEvaluator.preAggregationsForCube(cube) ?? {}).length > 0;
  if (!query.allCubeNames.some(declared)) return false;
  if (!query.timeDimensions.every(({ granularity }) => GRANULARITIES.has(granularity))) return false;
  // A condition on a time that is no range of its time dimension is not known to fall on buckets.
  const isTime = (path: readonly string[] | null): boolean =>
    path === null || (cubeEvaluator.isDimension(path) && cubeEvaluator.dimensionByPath(path).type === 'time');
  const filtered = query.filters.flatMap((filter) => flat(filter.getMembers()));
  return ![...filtered, ...query.dimensions.map((one) => one.path())].some(isTime);
}

const flat = (members: readonly Filtered[]): (readonly string[] | null)[] =>
  members.flatMap((member) => ('path' in member ? [member.path()] : flat(member)));

function additive(rolled: PlannedQuery): boolean {
  const form = rolled.preAggregations.canUseTransformedQuery();
  return (
    form.leafMeasureAdditive &&
    !form.hasMultipliedMeasures &&
    !form.hasMultiStage &&
    !form.hasCumulativeMeasures &&
    Object.values(form.measureToLeafMeasures).every((leaves) =>
      leaves.every(({ type }) => ADDITIVE.has(type)),
    )
  );
}

function describe(
  query: PlannedQuery,
  OverRollup: QueryClass,
  candidate: Candidate,
  timezone: string,
): Alternative {
  const planner = (zone: string): PlannedQuery =>
    new OverRollup(query.compilers, {
      ...query.options,
      paramAllocator: null,
      timezone: zone,
      // Part of the key by which Cube keeps plans: one for each roll-up.
      preAggregationsSchema: nameOf(candidate),
    });
  const over = <T>(planned: PlannedQuery, work: () => T): T =>
    query.compilers.compiler.withQuery(planned, () => {
      planned.preAggregations.preAggregationForQuery = candidate;
      return work();
    });
  const asked = planner(timezone);
  const [sql, values] = over(asked, () => asked.buildSqlAndParams());
  const { dimensions, measures, timeDimensions } = candidate.references;
  const members = JSON.stringify([dimensions, measures, timeDimensions]);
  const kept = ofModel(query.compilers, `kept ${nameOf(candidate)} ${members}`, () => {
    // Whoever asks from wherever: buckets begin and end in UTC.
    const filling = planner('UTC');
    return over(filling, () => keptBy(filling, candidate));
  });
  return { ...kept, question: { sql, values }, timezone };
}

const nameOf = ({ cube, preAggregationName }: Candidate): string => `${cube}.${preAggregationName}`;

/** What a roll-up keeps, whatever is asked of it. */
function keptBy(filling: PlannedQuery, candidate: Candidate): Omit<Alternative, 'question' | 'timezone'> {
  const { cube, preAggregation, references } = candidate;
  const [sql, values] = filling.preAggregationSql(cube, preAggregation);
  const time = references.timeDimensions[0]!;
  const path = filling.cubeEvaluator.memberShortNameFromPath(time.dimension);
  const baseCube = path.split('.')[0]!;
  return {
    name: nameOf(candidate),
    load: { sql, values },
    base: filling.evaluateSql(baseCube, filling.cubeEvaluator.cubeFromPath(baseCube).sql),
    time: {
      alias: filling.newTimeDimension(time).unescapedAliasName(),
      source: filling.evaluateSql(baseCube, filling.cubeEvaluator.dimensionByPath(path).sql),
    },
    granularity: time.granularity,
    partitionGranularity: preAggregation.partitionGranularity,
    dimensions: references.dimensions.map((one) => {
      const dimension = filling.newDimension(one);
      return { alias: dimension.unescapedAliasName(), source: dimension.dimensionSql() };
    }),
    measures: references.measures.map((one) => {
      const measure = filling.newMeasure(one);
      return {
        alias: measure.aliasName().replace(/^[`"]|[`"]$/g, ''),
        type: measure.measureDefinition().type,
      };
    }),
  };
}

const MOST_KEPT = 1000;
const byModel = new WeakMap<object, Map<string, unknown>>();

/** What `make` finds out of a compiled model and of what `key` says in full: found out once. */
function ofModel<T>(compilers: object, key: string, make: () => T): T {
  let known = byModel.get(compilers);
  if (!known) {
    known = new Map();
    byModel.set(compilers, known);
  }
  if (known.has(key)) return known.get(key) as T;
  const made = make();
  if (known.size >= MOST_KEPT) known.clear();
  known.set(key, made);
  return made;
}
