import { Command } from 'commander';
import { connect, type HubOptions, withHub } from '../context.ts';
import { print, printJson } from '../output.ts';

interface Report {
  readonly ok: boolean;
  readonly cubes: number;
  readonly views: number;
  readonly measures: number;
  readonly tests: number;
  readonly findings: readonly { kind: string; where: string; message: string; hint?: string }[];
}

export const modelCommand = (): Command =>
  new Command('model').description('the semantic model: what every metric means').addCommand(checkCommand());

const checkCommand = (): Command =>
  withHub(
    new Command('check')
      .description(
        'validate the model, find orphans and clashes, run metric tests; exit 1 if something is wrong',
      )
      .argument(
        '[folder]',
        'YAML files to check beside those in force; a file of the same name takes its place',
      )
      .option('--json', 'print one JSON document')
      .addHelpText('after', '\nExamples:\n  bac model check\n  bac model check ./metrics --json'),
  ).action(async (folder: string | undefined, options: HubOptions & { json?: boolean }) => {
    const body = folder ? await read(folder) : {};
    const report = await connect(options).post<Report>('/api/v1/model/check', body);
    if (!report.ok) process.exitCode = 1;
    if (options.json) return printJson(report);
    for (const { kind, where, message, hint } of report.findings)
      print(`${kind.padEnd(8)} ${where}: ${message}${hint ? ` ${hint}` : ''}`);
    const { cubes, views, measures, tests } = report;
    print(
      report.ok
        ? `The model is sound: ${cubes} cubes, ${views} views, ${measures} measures, ${tests} metric tests.`
        : `${report.findings.length} findings; see above.`,
    );
  });

/** Loaded only here: no other command needs the semantic layer in its own process. */
async function read(folder: string): Promise<object> {
  const { readModelFiles, readModelTests } = await import('#semantic');
  return { files: await readModelFiles(folder), tests: await readModelTests(folder) };
}
