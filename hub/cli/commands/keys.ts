import { Command } from 'commander';
import { columns } from '../../status/index.ts';
import { connect, type HubOptions, withHub } from '../context.ts';
import { note, print, printJson } from '../output.ts';

interface Key {
  id: string;
  principal: { user: string; tenant: string | null; scopes: string[] };
  createdAt: string;
  revokedAt: string | null;
}

const list = (text: string): string[] => text.split(',').map((part) => part.trim());

export function keysCommand(): Command {
  return new Command('keys')
    .description('API keys: create, list, revoke')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(revokeCommand());
}

const createCommand = (): Command =>
  withHub(
    new Command('create')
      .description('make an API key; its text is shown this once')
      .argument('<user>', 'whom it stands for')
      .option('--scopes <a,b>', 'read, write, admin', list, ['read'])
      .option('--roles <a,b>', 'roles of the user', list, [])
      .option('--tenant <tenant>', 'tenant of the user')
      .option('--json', 'print one JSON document')
      .addHelpText('after', '\nExample:\n  bac keys create grafana --scopes read'),
  ).action(
    async (
      user: string,
      options: HubOptions & { scopes: string[]; roles: string[]; tenant?: string; json?: boolean },
    ) => {
      const made = await connect(options).post<{ id: string; key: string }>('/api/v1/keys', {
        user,
        scopes: options.scopes,
        roles: options.roles,
        ...(options.tenant ? { tenant: options.tenant } : {}),
      });
      if (options.json) return printJson(made);
      print(made.key);
      note('Keep it: it cannot be shown again.');
    },
  );

const listCommand = (): Command =>
  withHub(
    new Command('list')
      .description('show the keys without their secrets')
      .option('--json', 'print one JSON document'),
  ).action(async (options: HubOptions & { json?: boolean }) => {
    const { keys } = await connect(options).get<{ keys: Key[] }>('/api/v1/keys');
    if (options.json) return printJson({ keys });
    const rows = keys.map((key) => [
      key.id,
      key.principal.user,
      key.principal.scopes.join(','),
      key.principal.tenant ?? '',
      key.createdAt,
      key.revokedAt ? 'revoked' : 'live',
    ]);
    print(columns([['id', 'user', 'scopes', 'tenant', 'created', 'state'], ...rows]).join('\n'));
  });

const revokeCommand = (): Command =>
  withHub(
    new Command('revoke')
      .description('end a key and the sessions opened with it')
      .argument('<id>', 'the part of the key before the dot')
      .option('--json', 'print one JSON document'),
  ).action(async (id: string, options: HubOptions & { json?: boolean }) => {
    const answer = await connect(options).delete(`/api/v1/keys/${encodeURIComponent(id)}`);
    options.json ? printJson(answer) : print(`Key ${id} revoked.`);
  });
