import { everythingProfile, toHubError, type WarehouseTable } from '#kernel';
import type { Cube, Member, Model, PreAggregation } from '../generate/index.ts';
import { type Candidate, defineRollup } from '../rollups/index.ts';
import type { Finding } from './findings.ts';

/** Roll-ups with what Cube makes of them, or why it makes nothing. */
export type RollupsOf = (
  model: Model,
) => Promise<readonly { readonly name: string; readonly candidate: Candidate | string }[]>;

const ADDITIVE = ['count', 'sum', 'min', 'max'];

/** What stands in the way of keeping the model's roll-ups. Members that are not there at all are orphans already. */
export async function checkRollups(
  model: Model,
  tables: readonly WarehouseTable[],
  rollupsOf: RollupsOf | undefined,
): Promise<Finding[]> {
  const cubes = new Map(model.cubes.map((cube) => [cube.name, cube]));
  const findings = model.cubes.flatMap((cube) =>
    cube.pre_aggregations.flatMap((rollup) => membersOf(cube, rollup, cubes)),
  );
  if (findings.length > 0 || !rollupsOf) return findings;
  const profile = everythingProfile(tables);
  for (const { name, candidate } of await rollupsOf(model)) {
    const reason = typeof candidate === 'string' ? candidate : reasonAgainst(candidate, tables, profile);
    if (reason !== null)
      findings.push({ kind: 'rollup', where: name, message: `cannot be kept: ${reason}.` });
  }
  return findings;
}

function reasonAgainst(
  candidate: Candidate,
  tables: readonly WarehouseTable[],
  profile: ReturnType<typeof everythingProfile>,
): string | null {
  try {
    const defined = defineRollup(candidate, tables, profile);
    return 'reason' in defined ? defined.reason : null;
  } catch (thrown) {
    return toHubError(thrown).message.replace(/\.$/, '');
  }
}

function membersOf(cube: Cube, rollup: PreAggregation, cubes: ReadonlyMap<string, Cube>): Finding[] {
  const found = (message: string, hint?: string): Finding => ({
    kind: 'rollup',
    where: `${cube.name}.${rollup.name}`,
    message,
    hint,
  });
  const find = (name: string, kind: 'measures' | 'dimensions'): Member | undefined => {
    const [other, member] = name.includes('.') ? name.split('.').slice(-2) : [cube.name, name];
    return cubes.get(other!)?.[kind].find((one) => one.name === member);
  };
  const measures = (rollup.measures ?? []).flatMap((name): Finding[] => {
    const measure = find(name, 'measures');
    if (!measure) return [found(`${name} is no measure.`)];
    if (measure.rolling_window !== undefined || measure.multi_stage !== undefined)
      return [found(`measure ${name} runs over time: parts of it do not add up.`)];
    if (ADDITIVE.includes(measure.type ?? '')) return [];
    return [
      found(`measure ${name} is of type ${measure.type}, which does not add up.`, hintFor(measure.type)),
    ];
  });
  const dimensions = (rollup.dimensions ?? []).flatMap((name): Finding[] => {
    const dimension = find(name, 'dimensions');
    if (!dimension) return [found(`${name} is no dimension.`)];
    return dimension.type === 'time' ? [found(`${name} is a time: it can only be the time_dimension.`)] : [];
  });
  const time = find(rollup.time_dimension ?? '', 'dimensions');
  const times =
    time?.type === 'time' ? [] : [found(`${rollup.time_dimension} is no dimension of type time.`)];
  return [...measures, ...dimensions, ...times];
}

function hintFor(type: string | undefined): string {
  if (type === 'number')
    return 'Roll up the measures that it is computed from; questions for it are then answered from them.';
  return `Only ${ADDITIVE.join(', ')} can be rolled up.`;
}
