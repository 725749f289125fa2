import { Command, InvalidArgumentError } from 'commander';
import { columns } from '../../status/index.ts';
import { connect, type HubOptions, withHub } from '../context.ts';
import { list } from '../lists.ts';
import { note, print, printJson } from '../output.ts';

interface Key {
  id: string;
  principal: { user: string; tenant: string | null; scopes: string[] };
  name: string | null;
  owner: string | null;
  createdAt: string;
  expiresAt: string | null;
  lastUsedAt: string | null;
  revokedAt: string | null;
}

export function keysCommand(): Command {
  return new Command('keys')
    .description('API keys: create, list, revoke')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(revokeCommand());
}

/** `30d`, `12h` from now, or an instant in ISO 8601. */
function expiry(text: string): string {
  const span = /^(\d+(?:\.\d+)?)(d|h)$/.exec(text);
  const at = span
    ? new Date(Date.now() + Number(span[1]) * (span[2] === 'd' ? 24 : 1) * 3_600_000)
    : new Date(text);
  if (Number.isNaN(at.getTime()))
    throw new InvalidArgumentError('Give days (30d), hours (12h) or an instant (2027-01-31T00:00:00Z).');
  return at.toISOString();
}

const createCommand = (): Command =>
  withHub(
    new Command('create')
      .description('make an API key; its text is shown this once')
      .argument('[user]', 'whom it stands for')
      .option(
        '--owner <login>',
        'account it belongs to instead: it gives no more than that, and ends with it',
      )
      .option('--name <name>', 'what it is for')
      .option('--scopes <a,b>', 'read, write, admin (default: read, or all its owner has)', list)
      .option('--roles <a,b>', 'roles', list)
      .option('--tenant <tenant>', 'tenant of the user')
      .option('--expires <when>', '30d, 12h, or an instant; default: never', expiry)
      .option('--json', 'print one JSON document')
      .addHelpText(
        'after',
        '\nExamples:\n  bac keys create grafana --scopes read\n  bac keys create --owner importer --name nightly --expires 90d',
      ),
  ).action(async (user: string | undefined, options: CreateOptions, command: Command) => {
    const { owner, name, scopes, roles, tenant, expires } = options;
    if ((user === undefined) === (owner === undefined)) command.error('error: name a user, or an --owner');
    const made = await connect(options).post<{ id: string; key: string }>('/api/v1/keys', {
      user,
      owner,
      name,
      scopes,
      roles,
      tenant,
      expiresAt: expires,
    });
    if (options.json) return printJson(made);
    print(made.key);
    note('Keep it: it cannot be shown again.');
  });

interface CreateOptions extends HubOptions {
  owner?: string;
  name?: string;
  scopes?: string[];
  roles?: string[];
  tenant?: string;
  expires?: string;
  json?: boolean;
}

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
      key.owner ?? '',
      key.name ?? '',
      key.createdAt,
      key.lastUsedAt ?? 'never',
      key.revokedAt ? 'revoked' : expired(key) ? 'expired' : 'live',
    ]);
    const head = ['id', 'user', 'scopes', 'tenant', 'owner', 'name', 'created', 'last used', 'state'];
    print(columns([head, ...rows]).join('\n'));
  });

const expired = ({ expiresAt }: Key): boolean => expiresAt !== null && Date.parse(expiresAt) < Date.now();

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
