import { Command } from 'commander';
import { columns } from '../../status/index.ts';
import { connect, type HubOptions, withHub } from '../context.ts';
import { print, printJson } from '../output.ts';

interface Entry {
  at: string;
  tenant: string | null;
  actor: string;
  action: string;
  entity: string | null;
  record: string | null;
  outcome: string;
  code: string | null;
  address: string | null;
}

type Options = HubOptions & { json?: boolean; limit: string } & Record<string, string | undefined>;

const FILTERS = ['tenant', 'actor', 'action', 'entity', 'outcome', 'since', 'until', 'cursor'] as const;

export const auditCommand = (): Command =>
  withHub(
    new Command('audit')
      .description('what was done and what was refused, newest first')
      .option('--tenant <tenant>', 'only of this tenant')
      .option('--actor <user>', 'only by this user')
      .option('--action <action>', 'only this, e.g. sign-in')
      .option('--entity <entity>', 'only on this, e.g. user')
      .option('--outcome <outcome>', 'ok, denied or failed')
      .option('--since <instant>', 'from then on, as 2026-01-31T00:00:00Z')
      .option('--until <instant>', 'before then')
      .option('--limit <n>', 'how many', '50')
      .option('--cursor <cursor>', 'where the page before ended')
      .option('--json', 'print one JSON document')
      .addHelpText('after', '\nExample:\n  bac audit --action sign-in --outcome failed'),
  ).action(async (options: Options) => {
    const query = new URLSearchParams({ limit: options.limit });
    for (const name of FILTERS) if (options[name]) query.set(name, options[name]);
    const page = await connect(options).get<{ entries: Entry[]; next: string | null }>(
      `/api/v1/audit?${query}`,
    );
    if (options.json) return printJson(page);
    if (page.entries.length === 0) return print('No entries.');
    const rows = page.entries.map((entry) => [
      entry.at,
      entry.tenant ?? '',
      entry.actor,
      entry.action,
      [entry.entity, entry.record].filter(Boolean).join(' '),
      entry.code ? `${entry.outcome} ${entry.code}` : entry.outcome,
      entry.address ?? '',
    ]);
    print(columns([['at', 'tenant', 'by', 'action', 'of', 'outcome', 'address'], ...rows]).join('\n'));
    if (page.next) print(`More: --cursor ${page.next}`);
  });
