import { Command } from 'commander';
import type { WebhookDelivery } from '#apps';
import { columns } from '../../status/index.ts';
import { connect, type HubOptions, withHub } from '../context.ts';
import { list } from '../lists.ts';
import { print, printJson } from '../output.ts';

type Options = HubOptions & {
  json?: boolean;
  state?: string;
  tenant?: string;
  limit: string;
  cursor?: string;
  resend?: string[] | true;
};

type Shown = Omit<WebhookDelivery, 'nextAt'> & { readonly nextAt: string | null };

/** `bac app deliveries`: webhooks of the apps; dead ones can be sent again. */
export const deliveriesCommand = (): Command =>
  withHub(
    new Command('deliveries')
      .description('webhooks of the apps: state, attempts, last error; send dead ones again')
      .option('--state <state>', 'waiting, sent or dead')
      .option('--tenant <tenant>', 'only of this tenant')
      .option('--limit <n>', 'how many', '50')
      .option('--cursor <cursor>', 'where the page before ended')
      .option('--resend [a,b]', 'send these dead ones again; all of them if none are named', list)
      .option('--json', 'print one JSON document')
      .addHelpText(
        'after',
        '\nExamples:\n  bac app deliveries --state dead\n  bac app deliveries --resend 17,18\n  bac app deliveries --resend --tenant aurora',
      ),
  ).action(async (options: Options) => {
    const hub = connect(options);
    const tenant = options.tenant === undefined ? {} : { tenant: options.tenant };
    if (options.resend !== undefined) {
      const which = options.resend === true ? { all: true } : { ids: options.resend };
      const result = await hub.post<{ done: number }>('/api/v1/deliveries/resend', { ...tenant, ...which });
      return options.json ? printJson(result) : print(`${result.done} sent again.`);
    }
    const query = new URLSearchParams({ limit: options.limit });
    if (options.tenant) query.set('tenant', options.tenant);
    if (options.state) query.set('state', options.state);
    if (options.cursor) query.set('cursor', options.cursor);
    const page = await hub.get<{ deliveries: Shown[]; next: string | null }>(`/api/v1/deliveries?${query}`);
    if (options.json) return printJson(page);
    if (page.deliveries.length === 0) return print('No webhooks.');
    const rows = page.deliveries.map((one) => [
      one.id,
      one.tenant,
      `${one.entity} ${one.record}`,
      one.state,
      String(one.attempts),
      one.nextAt ?? '–',
      (one.lastError ?? '').split('\n')[0]!.slice(0, 60),
      one.url.slice(0, 60),
    ]);
    const heads = ['id', 'tenant', 'record', 'state', 'attempts', 'next', 'last error', 'url'];
    print(columns([heads, ...rows], [4]).join('\n'));
    if (page.next) print(`More: --cursor ${page.next}`);
  });
