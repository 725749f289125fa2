import { pipeline } from 'node:stream/promises';
import { Command } from 'commander';
import { connect, type HubOptions, withHub } from '../context.ts';

export const sqlCommand = (): Command =>
  withHub(
    new Command('sql')
      .description('run a read-only query in the warehouse')
      .argument('<query>', 'SQL of ClickHouse')
      .option(
        '--format <format>',
        'any ClickHouse format; default: a table on a terminal, else TabSeparatedWithNames',
      )
      .option('--json', 'print one JSON document (format JSON)')
      .addHelpText(
        'after',
        '\nExamples:\n  bac sql "SELECT count() FROM shop.orders FINAL"\n  bac sql "SELECT * FROM shop.orders" --format CSVWithNames > orders.csv',
      ),
  ).action(async (sql: string, options: HubOptions & { format?: string; json?: boolean }) => {
    const tty = process.stdout.isTTY === true;
    const format = options.json
      ? 'JSON'
      : (options.format ?? (tty ? 'PrettyCompactMonoBlock' : 'TabSeparatedWithNames'));
    const result = await connect(options).stream('/api/v1/sql', { sql, format });
    await pipeline(result, process.stdout, { end: false }).catch((error: { code?: string }) => {
      // `bac sql ... | head` closes the pipe early: that is no failure.
      if (error.code !== 'EPIPE') throw error;
    });
  });
