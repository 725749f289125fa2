import { Command } from 'commander';
import { z } from 'zod';
import { columns, formatCount } from '../../status/index.ts';
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

const reportSchema = z.looseObject({
  tables: z.array(
    z.looseObject({
      source: z.string(),
      table: z.string(),
      state: z.string(),
      reason: z.string().optional(),
      sourceRows: z.number(),
      warehouseRows: z.number(),
      differences: z.number(),
      repaired: z.number(),
      changing: z.number(),
      truncated: z.boolean(),
      examples: z.array(
        z.looseObject({ kind: z.string(), key: z.record(z.string(), z.string().nullable()) }),
      ),
    }),
  ),
});

const MAX_EXAMPLES = 5;

/** A line for each table, the first differing rows of each under it, and the verdict. */
function summary(report: Readonly<Record<string, unknown>>): string {
  const verdict = report.ok === true ? 'Source and warehouse are equal.' : 'Source and warehouse differ.';
  const { data } = reportSchema.safeParse(report);
  if (!data) return verdict;
  const rows = data.tables.map((table) => [
    `${table.source}.${table.table}`,
    table.state,
    formatCount(table.sourceRows),
    formatCount(table.warehouseRows),
    `${table.truncated ? 'over ' : ''}${formatCount(table.differences)}`,
    formatCount(table.repaired),
    table.reason ?? (table.changing ? `${table.changing} rows kept changing` : ''),
  ]);
  const lines = columns(
    [['table', 'state', 'source', 'warehouse', 'differ', 'repaired', ''], ...rows],
    [2, 3, 4, 5],
  );
  for (const [index, table] of [...data.tables.entries()].reverse()) {
    const examples = table.examples
      .slice(0, MAX_EXAMPLES)
      .map(({ kind, key }) => `      ${kind.replaceAll('-', ' ')}: ${JSON.stringify(key)}`);
    lines.splice(index + 2, 0, ...examples);
  }
  return [...lines, verdict].join('\n');
}
