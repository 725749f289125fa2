import { Command } from 'commander';
import { columns } from '../../status/index.ts';
import { connect, type HubOptions, withHub } from '../context.ts';
import { print, printJson } from '../output.ts';

interface DeadLetter {
  id: string;
  source: string;
  schema: string;
  table: string;
  key: string | null;
  code: string;
  error: string;
  state: string;
  createdAt: string;
}

type Options = HubOptions & {
  json?: boolean;
  state?: string;
  limit?: string;
  cursor?: string;
  ids?: string[];
  all?: boolean;
};

const place = (target: string | undefined): Record<string, string> => {
  const [source, ...rest] = target?.split('.') ?? [];
  const table = rest.pop();
  const schema = table === undefined ? undefined : rest.join('.') || 'public';
  return Object.fromEntries(Object.entries({ source, schema, table }).filter(([, value]) => value)) as Record<
    string,
    string
  >;
};

export function deadLettersCommand(): Command {
  return new Command('deadletters')
    .description('rows that could not be stored: list, replay, discard')
    .addCommand(listCommand())
    .addCommand(resolveCommand('replay', 'send them through the sink again', 'replayed'))
    .addCommand(resolveCommand('discard', 'give them up; they stay on record', 'discarded'));
}

const listCommand = (): Command =>
  withHub(
    new Command('list')
      .description('show dead letters, newest first')
      .argument('[target]', 'SOURCE or SOURCE.SCHEMA.TABLE')
      .option('--state <state>', 'open, replayed, discarded or all', 'open')
      .option('--limit <n>', 'how many', '50')
      .option('--cursor <cursor>', 'where the page before ended')
      .option('--json', 'print one JSON document'),
  ).action(async (target: string | undefined, options: Options) => {
    const query = new URLSearchParams({ ...place(target), state: options.state!, limit: options.limit! });
    if (options.cursor) query.set('cursor', options.cursor);
    const page = await connect(options).get<{ deadLetters: DeadLetter[]; next: string | null }>(
      `/api/v1/deadletters?${query}`,
    );
    if (options.json) return printJson(page);
    if (page.deadLetters.length === 0) return print('No dead letters.');
    const rows = page.deadLetters.map((entry) => [
      entry.id,
      `${entry.source}.${entry.schema}.${entry.table}`,
      entry.createdAt,
      entry.state,
      (entry.key ?? '').slice(0, 40),
      `${entry.code}: ${entry.error.split('\n')[0]!.slice(0, 80)}`,
    ]);
    print(columns([['id', 'table', 'at', 'state', 'key', 'error'], ...rows]).join('\n'));
    if (page.next) print(`More: --cursor ${page.next}`);
  });

const resolveCommand = (verb: string, description: string, done: string): Command =>
  withHub(
    new Command(verb)
      .description(description)
      .argument('[target]', 'SOURCE or SOURCE.SCHEMA.TABLE')
      .option('--ids <a,b>', 'only these', (text) => text.split(','))
      .option('--all', 'of every source')
      .option('--json', 'print one JSON document')
      .addHelpText(
        'after',
        `\nExamples:\n  bac deadletters ${verb} shop.public.orders\n  bac deadletters ${verb} --all`,
      ),
  ).action(async (target: string | undefined, options: Options, command: Command) => {
    if (!target && !options.ids && !options.all) command.error('error: name a target, --ids or --all');
    const body = {
      ...place(target),
      ...(options.ids ? { ids: options.ids } : {}),
      ...(options.all ? { all: true } : {}),
    };
    const result = await connect(options).post<{ done: number }>(`/api/v1/deadletters/${verb}`, body);
    if (options.json) return printJson(result);
    print(`${result.done} ${done}.`);
  });
