import { setTimeout as wait } from 'node:timers/promises';
import { Command } from 'commander';
import { type Status, statusText } from '../../status/index.ts';
import { connect, type HubOptions, withHub } from '../context.ts';
import { colourful, print, printJson } from '../output.ts';

export const statusCommand = (): Command =>
  withHub(
    new Command('status')
      .description('show sources, tables, lag, freshness and roles')
      .option('--json', 'print one JSON document')
      .option('-w, --watch', 'redraw every second until interrupted')
      .addHelpText(
        'after',
        '\nExamples:\n  bac status\n  bac status --watch\n  bac status --json | jq .totals',
      ),
  ).action(async (options: HubOptions & { json?: boolean; watch?: boolean }, command: Command) => {
    if (options.json && options.watch) command.error('error: --json prints one document; leave out --watch');
    const hub = connect(options);
    if (options.json) return printJson(await hub.get<Status>('/api/v1/status'));
    const draw = async (): Promise<string> =>
      statusText(await hub.get<Status>('/api/v1/status'), { colour: colourful() });
    if (!options.watch) return print(await draw());
    while (true) {
      const text = await draw();
      // Home, then clear to the end: no flicker, and what was above stays in the scroll-back.
      process.stdout.write(process.stdout.isTTY ? `\u001b[H\u001b[J${text}` : text);
      await wait(1000);
    }
  });
