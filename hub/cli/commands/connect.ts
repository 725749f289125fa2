import { setTimeout as wait } from 'node:timers/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { HubError, userError } from '#kernel';
import { columns, formatBytes, formatDuration, type SourceStatus, type Status } from '../../status/index.ts';
import type { HubClient } from '../client.ts';
import { connect, withHub } from '../context.ts';
import { list } from '../lists.ts';
import { note, print, printJson } from '../output.ts';

interface Common {
  hub?: string;
  url?: string;
  key?: string;
  json?: boolean;
}

/** `--url` of `connect add` is the database's, so the whole group names the hub with `--hub`. */
const command = (name: string, description: string): Command =>
  withHub(new Command(name).description(description), { url: '--hub <url>' }).option(
    '--json',
    'print one JSON document',
  );

const reach = (options: Common): HubClient => connect({ url: options.hub, key: options.key });

export function connectCommand(): Command {
  return new Command('connect')
    .description('capture databases: add, list, pause, resume, remove, resnapshot, schedule')
    .addCommand(addCommand())
    .addCommand(listCommand())
    .addCommand(simple('pause', 'stop reading a source; its slot keeps the changes', 'paused'))
    .addCommand(simple('resume', 'go on where reading stopped', 'resumed'))
    .addCommand(removeCommand())
    .addCommand(resnapshotCommand())
    .addCommand(scheduleCommand());
}

const addCommand = (): Command =>
  command('add', 'start capturing a database')
    .argument('<name>', 'name of the source; becomes the database in ClickHouse')
    .requiredOption('--url <url>', 'connection string of the database')
    .addOption(
      new Option('--kind <kind>', 'kind of database').choices(['postgres', 'yugabytedb']).default('postgres'),
    )
    .option('--tables <a,b>', 'only these tables (schema.table, or table in public)', list)
    .addOption(
      new Option('--engine <engine>', 'what reads the changes: the hub, or Debezium in Kafka Connect')
        .choices(['native', 'debezium'])
        .default('native'),
    )
    .addOption(
      new Option('--snapshot <who>', 'with --engine debezium: who reads the rows that are there').choices([
        'hub',
        'debezium',
      ]),
    )
    .option('--set <property=value...>', 'with --engine debezium: a property of the connector', property, {})
    .option('--wait', 'return when every table streams')
    .addHelpText(
      'after',
      '\nExamples:\n  bac connect add shop --url postgres://reader:secret@db.example:5432/shop --wait\n  bac connect add crm --url postgres://... --tables accounts,sales.deals\n  bac connect add erp --url postgres://... --engine debezium --set max.batch.size=4096',
    )
    .action(async (name: string, options: AddOptions) => {
      const hub = reach(options);
      const { url, kind, tables, engine } = options;
      await hub.post('/api/v1/sources', {
        name,
        url,
        kind,
        engine,
        ...(tables ? { tables } : {}),
        ...debeziumOptions(options),
      });
      const source = options.wait ? await untilStreaming(hub, name) : null;
      if (options.json) return printJson(source ?? { name });
      print(
        source
          ? `Source ${name} streams ${source.tables.length} tables.`
          : `Source ${name} added. Watch it with \`bac status\`.`,
      );
    });

interface AddOptions extends Common {
  kind: string;
  tables?: string[];
  engine: string;
  snapshot?: string;
  set: Record<string, string>;
  wait?: boolean;
}

/** `--set a=b --set c=d` gathered. */
function property(text: string, before: Record<string, string>): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Give property=value.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

function debeziumOptions({ engine, snapshot, set }: AddOptions): object {
  const given = snapshot !== undefined || Object.keys(set).length > 0;
  if (!given) return {};
  if (engine === 'debezium') return { debezium: { snapshot, connector: set } };
  throw userError(
    'OPTION_INVALID',
    '--snapshot and --set are for sources that Debezium reads.',
    'Add --engine debezium.',
  );
}

const listCommand = (): Command =>
  command('list', 'show the sources').action(async (options: Common) => {
    const { sources } = await reach(options).get<{ sources: SourceStatus[] }>('/api/v1/sources');
    if (options.json) return printJson({ sources });
    if (sources.length === 0) return print('No sources yet. Add one with `bac connect add NAME --url URL`.');
    const rows = sources.map((source) => [
      source.name,
      source.state,
      String(source.tables.length),
      formatBytes(source.lagBytes),
      formatDuration(source.freshnessMs),
      source.url,
    ]);
    print(columns([['name', 'state', 'tables', 'slot lag', 'fresh', 'url'], ...rows], [2, 3, 4]).join('\n'));
  });

const simple = (verb: string, description: string, done: string): Command =>
  command(verb, description)
    .argument('<name>', 'source')
    .action(async (name: string, options: Common) => {
      const answer = await reach(options).post(`/api/v1/sources/${encodeURIComponent(name)}/${verb}`);
      options.json ? printJson(answer) : print(`Source ${name} ${done}.`);
    });

const removeCommand = (): Command =>
  command('remove', 'stop capturing a source for good and drop its slot')
    .argument('<name>', 'source')
    .option('--drop-tables', 'drop its tables in ClickHouse too')
    .action(async (name: string, options: Common & { dropTables?: boolean }) => {
      const query = options.dropTables ? '?dropTables=true' : '';
      const answer = await reach(options).delete(`/api/v1/sources/${encodeURIComponent(name)}${query}`);
      options.json ? printJson(answer) : print(`Source ${name} removed.`);
    });

const resnapshotCommand = (): Command =>
  command('resnapshot', 'copy tables afresh while changes go on')
    .argument('<name>', 'source')
    .option('--tables <a,b>', 'only these tables', list)
    .option('--wait', 'return when every table streams again')
    .action(async (name: string, options: Common & { tables?: string[]; wait?: boolean }) => {
      const hub = reach(options);
      const body = options.tables ? { tables: options.tables } : {};
      const answer = await hub.post(`/api/v1/sources/${encodeURIComponent(name)}/resnapshot`, body);
      const source = options.wait ? await untilStreaming(hub, name) : null;
      options.json ? printJson(source ?? answer) : print(`Source ${name} is being copied afresh.`);
    });

/** Hours of `24`, `24h`, `7d`; `never` is 0, `default` null. */
function hours(text: string): number | null {
  if (text === 'default') return null;
  if (text === 'never') return 0;
  const match = /^(\d+(?:\.\d+)?)(h|d)?$/.exec(text);
  if (match === null) throw new InvalidArgumentError('Give hours (12h), days (7d), never or default.');
  return Number(match[1]) * (match[2] === 'd' ? 24 : 1);
}

const scheduleCommand = (): Command =>
  command('schedule', 'how often the tables are compared with their source by themselves')
    .argument('<name>', 'source')
    .requiredOption('--every <time>', 'hours (12h), days (7d), never, or default (as configured)', hours)
    .option('--no-repair', 'only report what differs')
    .addHelpText('after', '\nExample:\n  bac connect schedule shop --every 12h --no-repair')
    .action(async (name: string, options: Common & { every: number | null; repair: boolean }) => {
      const body = { everyHours: options.every, ...(options.repair ? {} : { repair: false }) };
      const answer = await reach(options).post(`/api/v1/sources/${encodeURIComponent(name)}/schedule`, body);
      options.json ? printJson(answer) : print(`Source ${name}: schedule changed.`);
    });

const SETTLED = new Set(['streaming', 'unsupported', 'dropped']);

/** Another replica's status may be this old. */
const UNSEEN_MS = 5000;

/** Progress on standard error until all tables stream. A failed source or table ends the waiting. */
async function untilStreaming(hub: HubClient, name: string): Promise<SourceStatus> {
  let last = '';
  let unseenUntil = performance.now() + UNSEEN_MS;
  while (true) {
    const { sources } = await hub.get<Status>('/api/v1/status');
    const source = sources.find((entry) => entry.name === name);
    if (!source) {
      if (performance.now() > unseenUntil)
        throw new HubError('SOURCE_NOT_FOUND', `Source "${name}" is gone.`, { disposition: 'user' });
      await wait(500);
      continue;
    }
    unseenUntil = 0;
    const failed = [source, ...source.tables].find((entry) => entry.state === 'failed');
    if (failed) {
      const { code = 'SOURCE_FAILED', message = `${name} has failed.`, next } = failed.error ?? {};
      throw new HubError(code, message, { next: next ?? 'See `bac status`.', disposition: 'user' });
    }
    const done = source.tables.filter((table) => SETTLED.has(table.state)).length;
    if (source.state === 'streaming' && source.tables.length > 0 && done === source.tables.length)
      return source;
    const line = `${name}: ${source.state}, ${done} of ${source.tables.length} tables`;
    if (line !== last) note(line);
    last = line;
    await wait(500);
  }
}
