import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { Command } from 'commander';
import type { ChangePlan } from '#apps';
import { HubError, userError } from '#kernel';
import type { AppSummary } from '../../apps/index.ts';
import { columns, formatDuration, type Status } from '../../status/index.ts';
import type { HubClient } from '../client.ts';
import { connect, type HubOptions, withHub } from '../context.ts';
import { note, print, printJson } from '../output.ts';
import { deliveriesCommand } from './app-deliveries.ts';
import { planText } from './app-text.ts';

interface Common extends HubOptions {
  json?: boolean;
}

interface ChangeFlags extends Common {
  yes?: boolean;
  confirmDestructive?: boolean;
  wait?: boolean;
}

export function appCommand(): Command {
  return new Command('app')
    .description('definitions of apps: new, plan, apply, rollback, list, show; their webhooks: deliveries')
    .addCommand(newCommand())
    .addCommand(planCommand())
    .addCommand(applyCommand())
    .addCommand(rollbackCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(deliveriesCommand());
}

const command = (name: string, description: string): Command =>
  withHub(new Command(name).description(description).option('--json', 'print one JSON document'));

const changeCommand = (name: string, description: string): Command =>
  command(name, description)
    .option('-y, --yes', 'do not ask')
    .option('--confirm-destructive', 'run the steps that lose values too')
    .option('--wait', 'return when every table of the app streams into the warehouse');

const newCommand = (): Command =>
  new Command('new')
    .description('write a first definition, each part explained')
    .argument('<name>', 'name of the app')
    .option('--in <folder>', 'folder to write NAME/app.yaml into', '.')
    .option('--json', 'print one JSON document')
    .action(async (name: string, options: { in: string; json?: boolean }) => {
      const { starterApp } = await import('#apps'); // the other commands start without it
      const content = starterApp(name);
      const file = join(options.in, name, 'app.yaml');
      if (existsSync(file))
        throw userError('FILE_EXISTS', `${file} is there already.`, 'Choose another name or folder.');
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
      options.json ? printJson({ file }) : print(`${file} written. Apply it with \`bac app apply ${file}\`.`);
    });

const planCommand = (): Command =>
  command('plan', 'show what applying definitions would do, in the database, stream and warehouse')
    .argument('<file...>', 'app files')
    .action(async (files: string[], options: Common) => {
      const plan = await connect(options).post<ChangePlan>('/api/v1/apps/plan', { files: read(files) });
      options.json ? printJson(plan) : print(planText(plan));
    });

const applyCommand = (): Command =>
  changeCommand('apply', 'apply definitions while everything runs')
    .argument('<file...>', 'app files; each takes the place of the app of its name')
    .addHelpText(
      'after',
      '\nExamples:\n  bac app plan library/app.yaml\n  bac app apply library/app.yaml --wait',
    )
    .action(async (names: string[], options: ChangeFlags) => {
      const hub = connect(options);
      const files = read(names);
      const plan = await hub.post<ChangePlan>('/api/v1/apps/plan', { files });
      await change(hub, plan, '/api/v1/apps/apply', { files }, options);
    });

const rollbackCommand = (): Command =>
  changeCommand('rollback', 'go back to the definition before the last apply')
    .argument('<app>', 'name of the app')
    .action(async (app: string, options: ChangeFlags) => {
      const hub = connect(options);
      const path = `/api/v1/apps/${encodeURIComponent(app)}/rollback`;
      await change(hub, await hub.post<ChangePlan>(`${path}/plan`), path, {}, options);
    });

const listCommand = (): Command =>
  command('list', 'show the apps').action(async (options: Common) => {
    const { apps } = await connect(options).get<{ apps: Json<AppSummary & { invalid: string | null }>[] }>(
      '/api/v1/apps',
    );
    if (options.json) return printJson({ apps });
    if (apps.length === 0) return print('No apps yet. Begin one with `bac app new NAME`.');
    const rows = apps.map(({ name, label, version, entities, state, appliedAt, appliedBy, invalid }) => [
      name,
      label,
      version === null ? '–' : String(version),
      String(entities),
      invalid === null ? state : 'not valid any more',
      appliedAt === null ? '–' : `${formatDuration(Math.max(0, Date.now() - Date.parse(appliedAt)))} ago`,
      appliedBy,
    ]);
    print(
      columns([['name', 'label', 'version', 'entities', 'state', 'applied', 'by'], ...rows], [2, 3]).join(
        '\n',
      ),
    );
    for (const { name, message, invalid } of apps) {
      if (invalid !== null) note(invalid);
      else if (message !== null) note(`${name}: ${message}`);
    }
  });

interface Shown {
  readonly yaml: string;
  readonly version: number | null;
  readonly versions: readonly {
    readonly version: number;
    readonly state: string;
    readonly beganAt: string;
    readonly appliedBy: string;
    readonly message: string | null;
  }[];
}

const showCommand = (): Command =>
  command('show', 'print the definition in force; its versions on standard error')
    .argument('<app>', 'name of the app')
    .action(async (app: string, options: Common) => {
      const shown = await connect(options).get<Shown>(`/api/v1/apps/${encodeURIComponent(app)}`);
      if (options.json) return printJson(shown);
      const rows = shown.versions.map((one) => [
        String(one.version),
        one.state.replace('_', ' '),
        one.beganAt,
        one.appliedBy,
        one.message ?? '',
      ]);
      note(columns([['version', 'state', 'at', 'by', ''], ...rows], [0]).join('\n'));
      print(shown.yaml);
    });

/** As it comes over HTTP. */
type Json<T> = { readonly [K in keyof T]: T[K] extends Date | null ? string | null : T[K] };

function read(files: readonly string[]): { file: string; content: string }[] {
  return files.map((file) => {
    try {
      return { file, content: readFileSync(file, 'utf8') };
    } catch (cause) {
      throw userError(
        'FILE_UNREADABLE',
        `${file} cannot be read.`,
        'Name app files, as library/app.yaml.',
        cause,
      );
    }
  });
}

/** Shows the plan, asks, and carries out the very plan that was shown. */
async function change(
  hub: HubClient,
  plan: ChangePlan,
  path: string,
  body: object,
  options: ChangeFlags,
): Promise<void> {
  note(planText(plan));
  if (!options.yes && (plan.steps.length > 0 || plan.apps.some(({ same }) => !same))) await confirm();
  const confirmDestructive = options.confirmDestructive ?? false;
  for await (const { type, ...line } of hub.lines(path, { ...body, confirmDestructive, plan: plan.id })) {
    if (type !== 'result') note(progressText(line));
    else {
      if (options.wait) await untilStreaming(hub, plan);
      options.json ? printJson(line) : print(resultText(line));
    }
  }
}

async function confirm(): Promise<void> {
  if (!process.stdin.isTTY)
    throw userError('CONFIRMATION_NEEDED', 'Nobody can be asked here.', 'Look at the plan, then add --yes.');
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await prompt.question('Carry it out? [y/N] ').finally(() => prompt.close());
  if (!/^y(es)?$/i.test(answer.trim()))
    throw userError('NOT_CONFIRMED', 'Nothing was changed.', 'Answer y, or add --yes.');
}

const progressText = ({ event, step, of, kind, message }: Readonly<Record<string, unknown>>): string =>
  event === 'step' ? `${String(step)}/${String(of)}  ${String(kind)}: ${String(message)}` : String(message);

function resultText(line: Readonly<Record<string, unknown>>): string {
  const { apps, changed, skipped, notCaptured, milliseconds } = line as unknown as {
    apps: { app: string; version: number }[];
    changed: boolean;
    skipped: { description: string }[];
    notCaptured: string | null;
    milliseconds: number;
  };
  const what = apps.map(({ app, version }) => `${app} version ${version}`).join(', ');
  return [
    !changed
      ? 'Everything is so already.'
      : `${what === '' ? 'The database is as defined' : `${what} in force`} (${formatDuration(milliseconds)}).`,
    ...skipped.map(({ description }) => `Left, because it loses values: ${description}.`),
    ...(skipped.length > 0 ? ['Run it with --confirm-destructive.'] : []),
    ...(notCaptured === null ? [] : [`Not captured: ${notCaptured}`]),
  ].join('\n');
}

const WAIT_MS = 250;

/** Until every table that the plan has begin streams; a failed one ends the waiting. */
async function untilStreaming(hub: HubClient, plan: ChangePlan): Promise<void> {
  const begun = plan.stream.filter(({ change: kind }) => kind === 'begins').map(({ table }) => table);
  for (;;) {
    const { sources } = await hub.get<Status>('/api/v1/status');
    const tables = sources.flatMap((source) => source.tables);
    const states = begun.map((name) => tables.find((table) => `${table.schema}.${table.table}` === name));
    const failed = states.find((table) => table?.state === 'failed');
    if (failed)
      throw new HubError('TABLE_FAILED', failed.error?.message ?? `${failed.table} has failed.`, {
        next: 'See `bac status`.',
        disposition: 'user',
      });
    if (states.every((table) => table?.state === 'streaming')) return;
    await wait(WAIT_MS);
  }
}
