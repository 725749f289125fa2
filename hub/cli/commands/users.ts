import { Command, InvalidArgumentError } from 'commander';
import { columns } from '../../status/index.ts';
import { connect, type HubOptions, withHub } from '../context.ts';
import { list } from '../lists.ts';
import { print, printJson } from '../output.ts';
import { readSecret } from '../secret.ts';

interface User {
  login: string;
  kind: string;
  name: string;
  tenant: string | null;
  roles: string[];
  scopes: string[];
  disabled: boolean;
  totp: boolean;
  signedInAt: string | null;
}

type Options = HubOptions & {
  json?: boolean;
  service?: boolean;
  name?: string;
  tenant?: string;
  roles?: string[];
  scopes?: string[];
  set?: Record<string, string>;
  provider?: string;
};

/** `--set region=north --set level=3` gathered. */
function attribute(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Give attribute=value.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

const path = (user: string, verb: string): string => `/api/v1/users/${encodeURIComponent(user)}/${verb}`;

export function usersCommand(): Command {
  return new Command('users')
    .description('people and service accounts: add, list, disable, enable, passwd, rights')
    .addCommand(addCommand())
    .addCommand(listCommand())
    .addCommand(simple('disable', 'end its sessions and keys, and let it in no more', 'disabled'))
    .addCommand(simple('enable', 'let it in again', 'enabled'))
    .addCommand(simple('end-sessions', 'sign it out everywhere', 'signed out'))
    .addCommand(simple('reset-totp', 'take its second factor away', 'without second factor'))
    .addCommand(passwdCommand())
    .addCommand(rolesCommand());
}

const addCommand = (): Command =>
  withHub(
    new Command('add')
      .description(
        'add a person (the password is asked for, or read from standard input) or a service account',
      )
      .argument('<login>', 'e-mail address, or with --service a name')
      .option('--service', 'a service account: no password, acts through API keys')
      .option('--name <name>', 'name to show')
      .option('--tenant <tenant>', 'tenant; absent = all tenants')
      .option('--roles <a,b>', 'roles', list)
      .option('--scopes <a,b>', 'read, write, admin (default: read,write)', list)
      .option('--set <attribute=value...>', 'an attribute', attribute)
      .option('--provider <name>', 'signs in at this provider (identity.issuers) instead of with a password')
      .option('--json', 'print one JSON document')
      .addHelpText(
        'after',
        '\nExamples:\n  bac users add ann@aurora.example --tenant aurora --roles sales\n  bac users add importer --service --tenant aurora --roles import\n  pass show bac/ann | bac users add ann@aurora.example --tenant aurora --roles admin',
      ),
  ).action(async (login: string, options: Options) => {
    const { name, tenant, roles, scopes, set, provider } = options;
    const rights = { tenant, roles, scopes, attributes: set };
    const hub = connect(options);
    const made = options.service
      ? await hub.post('/api/v1/service-accounts', { name: login, ...rights })
      : await hub.post('/api/v1/users', {
          email: login,
          name,
          provider,
          ...rights,
          ...(provider ? {} : { password: await readSecret('Password', true) }),
        });
    options.json ? printJson(made) : print(`Account ${login} added.`);
  });

const listCommand = (): Command =>
  withHub(
    new Command('list')
      .description('show the accounts')
      .option('--tenant <tenant>', 'only of this tenant')
      .option('--json', 'print one JSON document'),
  ).action(async (options: Options) => {
    const hub = connect(options);
    const users: User[] = [];
    for (let after: string | null = ''; after !== null; ) {
      const query = new URLSearchParams({ limit: '500' });
      if (options.tenant) query.set('tenant', options.tenant);
      if (after) query.set('after', after);
      const page: { users: User[]; next: string | null } = await hub.get(`/api/v1/users?${query}`);
      users.push(...page.users);
      after = page.next;
    }
    if (options.json) return printJson({ users });
    if (users.length === 0) return print('No accounts yet. Add one with `bac users add`.');
    const rows = users.map((user) => [
      user.login,
      user.kind,
      user.tenant ?? 'all',
      user.roles.join(','),
      user.scopes.join(','),
      user.totp ? 'yes' : 'no',
      user.disabled ? 'disabled' : 'live',
      user.signedInAt ?? '',
    ]);
    const head = ['login', 'kind', 'tenant', 'roles', 'scopes', 'totp', 'state', 'signed in'];
    print(columns([head, ...rows]).join('\n'));
  });

const simple = (verb: string, description: string, done: string): Command =>
  withHub(
    new Command(verb)
      .description(description)
      .argument('<login>', 'e-mail address or name')
      .option('--json', 'print one JSON document'),
  ).action(async (login: string, options: Options) => {
    const answer = await connect(options).post(path(login, verb));
    options.json ? printJson(answer) : print(`Account ${login} ${done}.`);
  });

const passwdCommand = (): Command =>
  withHub(
    new Command('passwd')
      .description('set a password (asked for, or read from standard input); all sessions end')
      .argument('<login>', 'e-mail address')
      .option('--json', 'print one JSON document'),
  ).action(async (login: string, options: Options) => {
    const hub = connect(options);
    const password = await readSecret('New password', true);
    const answer = await hub.post(path(login, 'password'), { password });
    options.json ? printJson(answer) : print(`Password of ${login} set; its sessions have ended.`);
  });

const rolesCommand = (): Command =>
  withHub(
    new Command('roles')
      .description('replace roles, scopes or attributes; all sessions end')
      .argument('<login>', 'e-mail address or name')
      .argument('[roles]', 'roles, with commas; "" = none', list)
      .option('--scopes <a,b>', 'read, write, admin', list)
      .option('--set <attribute=value...>', 'an attribute; those not given are dropped', attribute)
      .option('--json', 'print one JSON document')
      .addHelpText('after', '\nExample:\n  bac users roles ann@aurora.example sales,support'),
  ).action(async (login: string, roles: string[] | undefined, options: Options, command: Command) => {
    const { scopes, set } = options;
    if (!roles && !scopes && !set) command.error('error: name roles, --scopes or --set');
    const answer = await connect(options).post(path(login, 'rights'), { roles, scopes, attributes: set });
    options.json ? printJson(answer) : print(`Rights of ${login} changed; its sessions have ended.`);
  });
