import { Command } from 'commander';
import type { Advice } from '../../semantic/index.ts';
import { columns } from '../../status/index.ts';
import { connect, type HubOptions, withHub } from '../context.ts';
import { print, printJson } from '../output.ts';

interface Report {
  readonly ok: boolean;
  readonly cubes: number;
  readonly views: number;
  readonly measures: number;
  readonly tests: number;
  readonly findings: readonly { kind: string; where: string; at?: string; message: string; hint?: string }[];
}

export const modelCommand = (): Command =>
  new Command('model')
    .description('the semantic model: what every metric means')
    .addCommand(checkCommand())
    .addCommand(rollupsCommand())
    .addCommand(adviseCommand());

const checkCommand = (): Command =>
  withHub(
    new Command('check')
      .description(
        'validate the model, find orphans and clashes, run metric tests; exit 1 if something is wrong',
      )
      .argument(
        '[folder]',
        'YAML files to check in the place of the hub’s own folder (semantic.modelDir); those of the product stay',
      )
      .option('--json', 'print one JSON document')
      .addHelpText('after', '\nExamples:\n  bac model check\n  bac model check ./metrics --json'),
  ).action(async (folder: string | undefined, options: HubOptions & { json?: boolean }) => {
    const body = folder ? await read(folder) : {};
    const report = await connect(options).post<Report>('/api/v1/model/check', body);
    if (!report.ok) process.exitCode = 1;
    if (options.json) return printJson(report);
    for (const { kind, where, at, message, hint } of report.findings) {
      const place = at === undefined ? where : at.startsWith(`${where}:`) ? at : `${at}: ${where}`;
      print(`${kind.padEnd(8)} ${place}: ${message}${hint ? ` ${hint}` : ''}`);
    }
    const { cubes, views, measures, tests } = report;
    print(
      report.ok
        ? `The model is sound: ${cubes} cubes, ${views} views, ${measures} measures, ${tests} metric tests.`
        : `${report.findings.length} findings; see above.`,
    );
  });

interface Rollup {
  readonly name: string;
  readonly state?: string;
  readonly error?: string | null;
  readonly inUse: boolean;
  readonly rows: number;
  readonly bytes: number;
  readonly coveredAt: string | null;
  readonly coveredBlock: string | null;
  readonly hits: number;
}

const rollupsCommand = (): Command =>
  withHub(
    new Command('rollups')
      .description('roll-ups that the model declares: state, size, what they cover, answers they gave')
      .option('--check', 'compare the last answers of roll-ups with the raw ones; exit 1 if one differs')
      .option('--json', 'print one JSON document')
      .addHelpText('after', '\nExamples:\n  bac model rollups\n  bac model rollups --check'),
  ).action(async (options: HubOptions & { json?: boolean; check?: boolean }) => {
    const hub = connect(options);
    if (options.check) {
      const report = await hub.post<{ compared: number; different: number; differences: string[] }>(
        '/api/v1/model/rollups/check',
        {},
      );
      if (report.different > 0) process.exitCode = 1;
      if (options.json) return printJson(report);
      for (const text of report.differences) print(text);
      return print(`${report.compared} questions compared, ${report.different} different.`);
    }
    const { rollups } = await hub.get<{ rollups: Rollup[] }>('/api/v1/model/rollups');
    if (options.json) return printJson({ rollups });
    if (rollups.length === 0) return print('The model declares no roll-ups over the tables there are.');
    const head = ['roll-up', 'state', 'rows', 'KiB', 'covered to', 'at', 'answers'];
    const rows = rollups.map((one) => [
      one.name,
      one.inUse && one.state === 'waiting' ? 'ready' : (one.state ?? (one.inUse ? 'ready' : 'not built')),
      String(one.rows),
      String(Math.ceil(one.bytes / 1024)),
      one.coveredBlock ?? '',
      one.coveredAt ?? '',
      String(one.hits),
    ]);
    print(columns([head, ...rows], [2, 3, 6]).join('\n'));
    for (const { name, error } of rollups) if (error) print(`${name}: ${error}`);
  });

const adviseCommand = (): Command =>
  withHub(
    new Command('advise')
      .description('propose roll-ups from what was asked in the last days; changes nothing')
      .option('--json', 'print one JSON document'),
  ).action(async (options: HubOptions & { json?: boolean }) => {
    const advice = await connect(options).get<Advice>('/api/v1/model/advice');
    if (options.json) return printJson(advice);
    const { proposals, questions, days } = advice;
    for (const { name, yaml, questionsPerDay, rowsReadPerDay, rows } of proposals) {
      const number = (value: number): string => Math.round(value).toLocaleString('en');
      const then =
        rows === null
          ? 'its rows could not be counted'
          : `${number(rows)} rows in the roll-up, at most ${number(rows * questionsPerDay)} read a day`;
      print(
        `# ${name}: ${number(questionsPerDay)} questions a day read ${number(rowsReadPerDay)} rows now; ${then}.`,
      );
      print(yaml);
    }
    print(
      proposals.length === 0
        ? `Nothing to propose from ${questions} questions of ${days} days.`
        : `From ${questions} questions of ${days} days. Put what you want into a model file; see docs/semantic-layer.md.`,
    );
  });

/** Loaded only here: no other command needs the semantic layer in its own process. */
async function read(folder: string): Promise<object> {
  const { readModelFiles, readModelTests } = await import('#semantic');
  return { files: await readModelFiles(folder), tests: await readModelTests(folder) };
}
