import { Command } from 'commander';
import { connect, type HubOptions, withHub } from '../context.ts';
import { note, print, printJson } from '../output.ts';

export const verifyCommand = (): Command =>
  withHub(
    new Command('verify')
      .description('compare source and warehouse while both are live; exit 1 if they differ')
      .argument('[target]', 'SOURCE, SOURCE.TABLE or SOURCE.SCHEMA.TABLE; default: everything')
      .option('--repair', 'mend what differs')
      .option('--json', 'print one JSON document')
      .addHelpText(
        'after',
        '\nExamples:\n  bac verify\n  bac verify shop.orders\n  bac verify shop --repair',
      ),
  ).action(async (target: string | undefined, options: HubOptions & { repair?: boolean; json?: boolean }) => {
    const hub = connect(options);
    const [source, ...rest] = target?.split('.') ?? [];
    const body = {
      ...(source ? { source } : {}),
      ...(rest.length ? { table: rest.join('.') } : {}),
      repair: options.repair ?? false,
    };
    for await (const { type, ...line } of hub.lines('/api/v1/verify', body)) {
      if (type !== 'result') note(describe(line));
      else {
        if (line.ok !== true) process.exitCode = 1;
        options.json ? printJson(line) : print(summary(line));
      }
    }
  });

/** One line for people: the text if there is one, else the plain facts. */
function describe(facts: Readonly<Record<string, unknown>>): string {
  if (typeof facts.message === 'string') return facts.message;
  return Object.entries(facts)
    .filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))
    .map(([name, value]) => `${name} ${String(value)}`)
    .join('  ');
}

function summary(report: Readonly<Record<string, unknown>>): string {
  const tables = Array.isArray(report.tables) ? (report.tables as Record<string, unknown>[]) : [];
  const lines = tables.map((table) => describe(table));
  return [
    ...lines,
    report.ok === true ? 'Source and warehouse are equal.' : 'Source and warehouse differ.',
  ].join('\n');
}
