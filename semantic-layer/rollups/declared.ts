import type { SemanticQuery } from '#kernel';
import { toHubError } from '#kernel';
import type { Model, PreAggregation } from '../generate/index.ts';
import type { Candidate } from './definition.ts';

/** The question that a roll-up answers by itself. */
export function questionOf(cube: string, rollup: PreAggregation): SemanticQuery {
  const full = (name: string): string => (name.includes('.') ? name : `${cube}.${name}`);
  return {
    measures: (rollup.measures ?? []).map(full),
    dimensions: (rollup.dimensions ?? []).map(full),
    timeDimensions:
      rollup.time_dimension === undefined
        ? []
        : [{ dimension: full(rollup.time_dimension), granularity: String(rollup.granularity) }],
  };
}

/** All roll-ups of a model with what Cube makes of them, or why it makes nothing. */
export async function declaredRollups(
  { cubes }: Model,
  rollupsFor: (query: SemanticQuery) => Promise<readonly Candidate[]>,
): Promise<{ name: string; candidate: Candidate | string }[]> {
  const declared: { name: string; candidate: Candidate | string }[] = [];
  for (const cube of cubes)
    for (const rollup of cube.pre_aggregations) {
      const name = `${cube.name}.${rollup.name}`;
      try {
        const found = await rollupsFor(questionOf(cube.name, rollup));
        const candidate = found.find((one) => one.name === name);
        declared.push({ name, candidate: candidate ?? 'Cube cannot answer its own question from it' });
      } catch (thrown) {
        declared.push({ name, candidate: toHubError(thrown).message });
      }
    }
  return declared;
}
