import { Command } from 'commander';
import { columns } from '../../status/index.ts';
import { connect, type HubOptions, withHub } from '../context.ts';
import { print, printJson } from '../output.ts';

type Options = HubOptions & { json?: boolean; name?: string };

export function tenantsCommand(): Command {
  return new Command('tenants')
    .description('tenants, whose rows are kept apart: add, list')
    .addCommand(addCommand())
    .addCommand(listCommand());
}

const addCommand = (): Command =>
  withHub(
    new Command('add')
      .description('add a tenant')
      .argument('<id>', 'short name, as it stands in rows')
      .option('--name <name>', 'name to show')
      .option('--json', 'print one JSON document'),
  ).action(async (id: string, options: Options) => {
    const made = await connect(options).post('/api/v1/tenants', { id, name: options.name });
    options.json ? printJson(made) : print(`Tenant ${id} added.`);
  });

const listCommand = (): Command =>
  withHub(
    new Command('list').description('show the tenants').option('--json', 'print one JSON document'),
  ).action(async (options: Options) => {
    const { tenants } = await connect(options).get<{
      tenants: { id: string; name: string; createdAt: string }[];
    }>('/api/v1/tenants');
    if (options.json) return printJson({ tenants });
    if (tenants.length === 0) return print('No tenants yet. Add one with `bac tenants add`.');
    const rows = tenants.map(({ id, name, createdAt }) => [id, name, createdAt]);
    print(columns([['id', 'name', 'added'], ...rows]).join('\n'));
  });
