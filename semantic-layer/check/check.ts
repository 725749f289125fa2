import { everythingProfile, type ModelFile, toHubError } from '#kernel';
import { baseNames } from '../generate/base.ts';
import { type CuratedFile, type FileProblem, parseCurated } from '../generate/curated.ts';
import { type BuiltModel, buildModel, type ModelInput } from '../generate/index.ts';
import { allPlaces } from '../generate/places.ts';
import { withoutAbsent } from './absent.ts';
import { clashes } from './clashes.ts';
import type { Finding } from './findings.ts';
import { type Load, type MetricTest, parseTests, runTest } from './metric-tests.ts';
import { orphans } from './orphans.ts';
import { placeIn } from './place-in.ts';
import { checkRollups, type RollupsOf } from './rollups.ts';

export interface CheckInput {
  readonly model: ModelInput;
  readonly tests: readonly ModelFile[];
  /**
   * Names of files that come with the product: what they lack because a table is not captured is no finding, and their
   * tests of it are left out.
   */
  readonly product?: ReadonlySet<string>;
  /** Compiles the model as it would be served; rejects with what Cube says. */
  readonly compile: () => Promise<void>;
  /** What Cube makes of the model's roll-ups, once it compiles; absent: they are looked at without it. */
  readonly rollupsOf?: RollupsOf;
  /** Asks the model in force, for the metric tests; null leaves them out. */
  readonly load: Load | null;
}

export interface CheckReport {
  readonly ok: boolean;
  readonly cubes: number;
  readonly views: number;
  readonly measures: number;
  readonly tests: number;
  readonly findings: readonly Finding[];
}

/**
 * All that can be said about the curated files over these tables, seen by somebody who sees everything. What stands
 * in the way of the next step (a file that cannot be read, a clash) ends the check there. Does not throw for what is
 * wrong with a model.
 */
export async function checkModel(checked: CheckInput): Promise<CheckReport> {
  const { model: input, tests, compile, load } = checked;
  const report = (
    findings: readonly Finding[],
    counts = { cubes: 0, views: 0, measures: 0, tests: 0 },
  ): CheckReport => ({
    ok: findings.length === 0,
    ...counts,
    findings,
  });
  const read = input.curated.map(readFile);
  const unreadable = read.flatMap(({ findings }) => findings);
  const files = read.flatMap(({ file }) => file ?? []);
  const clashing = clashes(files, baseNames(input));
  if (unreadable.length > 0 || clashing.length > 0) return report([...unreadable, ...clashing]);

  const places = allPlaces(files);
  let built: BuiltModel;
  try {
    built = buildModel(input, everythingProfile(input.tables));
  } catch (thrown) {
    return report([refused(thrown)]);
  }
  const { model, losses } = built;
  const isProduct = (name: string): boolean =>
    checked.product?.has(places.get(name)?.[0]?.replace(/:\d+$/, '') ?? '') === true;
  const findings = orphans(withoutAbsent(losses, model, isProduct), model, places);
  const counts = {
    cubes: model.cubes.length,
    views: model.views.length,
    measures: model.cubes.reduce((sum, cube) => sum + cube.measures.length, 0),
    tests: 0,
  };
  try {
    await compile();
  } catch (thrown) {
    const { message } = toHubError(thrown);
    findings.push({ kind: 'compile', where: 'model', at: placeIn(message, places), message });
    return report(findings, counts);
  }
  const rollups = await checkRollups(model, input.tables, checked.rollupsOf);
  findings.push(...rollups.map((one) => ({ ...one, at: places.get(one.where)?.[0] })));
  const parsed = tests.map(parseTests);
  findings.push(...parsed.flatMap((one) => one.findings));
  if (load === null) return report(findings, counts);
  const known = new Set([...model.cubes, ...model.views].map(({ name }) => name));
  const askable = (test: MetricTest): boolean =>
    [...JSON.stringify([test.query, test.equals]).matchAll(/"([a-z_]\w*)\.\w+"/gi)].every(([, cube]) =>
      known.has(cube!),
    );
  const all = parsed.flatMap((one, index) =>
    checked.product?.has(tests[index]!.fileName) ? one.tests.filter(askable) : one.tests,
  );
  for (const test of all) findings.push(...[await runTest(test, load)].flatMap((finding) => finding ?? []));
  return report(findings, { ...counts, tests: all.length });
}

function readFile(model: ModelFile): { file: CuratedFile | null; findings: Finding[] } {
  const { fileName } = model;
  try {
    return { file: parseCurated(model), findings: [] };
  } catch (thrown) {
    const { message, details } = toHubError(thrown);
    const problems = (details.problems as readonly FileProblem[] | undefined) ?? [{ at: fileName, message }];
    return { file: null, findings: problems.map((one) => ({ kind: 'invalid', where: fileName, ...one })) };
  }
}

function refused(thrown: unknown): Finding {
  const { message, next, details } = toHubError(thrown);
  const { at, what = message } = details as { readonly at?: string; readonly what?: string };
  return { kind: 'clash', where: 'model', at, message: what, hint: next };
}
