import { everythingProfile, type ModelFile, toHubError } from '#kernel';
import { baseNames } from '../generate/base.ts';
import { type CuratedFile, parseCurated } from '../generate/curated.ts';
import { buildModel, generateModel, type ModelInput } from '../generate/index.ts';
import { clashes } from './clashes.ts';
import type { Finding } from './findings.ts';
import { type Load, parseTests, runTest } from './metric-tests.ts';
import { orphans } from './orphans.ts';
import { checkRollups, type RollupsOf } from './rollups.ts';

export interface CheckInput {
  readonly model: ModelInput;
  readonly tests: readonly ModelFile[];
  /** Compiles the files as they would be served; rejects with what Cube says. */
  readonly compile: (files: readonly ModelFile[]) => Promise<void>;
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
  const unreadable = read.flatMap(({ finding }) => finding ?? []);
  const files = read.flatMap(({ fileName, file }) => (file ? [{ fileName, file }] : []));
  const clashing = clashes(files, baseNames(input));
  if (unreadable.length > 0 || clashing.length > 0) return report([...unreadable, ...clashing]);

  const everything = everythingProfile(input.tables);
  const { model, losses } = buildModel(input, everything);
  const findings = orphans(losses, model);
  const counts = {
    cubes: model.cubes.length,
    views: model.views.length,
    measures: model.cubes.reduce((sum, cube) => sum + cube.measures.length, 0),
    tests: 0,
  };
  try {
    await compile(generateModel(input, everything));
  } catch (thrown) {
    findings.push({ kind: 'compile', where: 'model', message: toHubError(thrown).message });
    return report(findings, counts);
  }
  findings.push(...(await checkRollups(model, input.tables, checked.rollupsOf)));
  const parsed = tests.map(parseTests);
  findings.push(...parsed.flatMap((one) => one.findings));
  if (load === null) return report(findings, counts);
  const all = parsed.flatMap((one) => one.tests);
  for (const test of all) findings.push(...[await runTest(test, load)].flatMap((finding) => finding ?? []));
  return report(findings, { ...counts, tests: all.length });
}

function readFile(file: ModelFile): { fileName: string; file?: CuratedFile; finding?: Finding } {
  const { fileName } = file;
  try {
    return { fileName, file: parseCurated(file) };
  } catch (thrown) {
    return { fileName, finding: { kind: 'invalid', where: fileName, message: toHubError(thrown).message } };
  }
}
