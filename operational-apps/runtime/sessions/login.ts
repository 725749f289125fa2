import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { pgIdent, pgLiteral, userError } from '#kernel';
import { APP_ROLE, EFFECTS_ROLE } from '../../planner/database-roles.ts';

const STATE_GRANTS: readonly (readonly [table: string, app: string, effects: string])[] = [
  ['activity', 'SELECT', 'SELECT, INSERT'],
  ['attachments', 'SELECT', 'SELECT, INSERT, UPDATE, DELETE'],
  ['attachment_pieces', 'SELECT', 'SELECT, INSERT, DELETE'],
  ['saved_filters', 'SELECT, INSERT, UPDATE, DELETE', 'SELECT'],
  ['notifications', 'SELECT', 'SELECT, INSERT'],
  ['notifications_seen', 'SELECT, INSERT, UPDATE', 'SELECT'],
  ['idempotency_keys', 'SELECT, INSERT, UPDATE', 'SELECT'],
  ['outbox', '', 'SELECT, INSERT'],
  ['automation_runs', '', 'SELECT, INSERT, UPDATE'],
];

/**
 * Makes, as the owner of the hub's state, what the records engine logs in with: the roles, their grants
 * on the state, and a login whose secret is kept in `bac.secrets`. Idempotent; any number of processes
 * may call it at once. Returns the connection string of that login (a secret).
 * Errors: APPS_LOGIN_REFUSED (user) when the server does not let the owner make roles.
 */
export async function prepareAppsLogin(owner: Pool, ownerUrl: string): Promise<string> {
  const { rows } = await owner.query<{ name: string }>('SELECT current_database() AS name');
  // Roles belong to the server, secrets to the database: two hubs on one server have two logins.
  const database = rows[0]!.name;
  const login = database === 'bac' ? 'bac_app_login' : `bac_app_login_${database}`;
  try {
    for (const role of [APP_ROLE, EFFECTS_ROLE]) await makeRole(owner, role, 'NOLOGIN');
    const secret = await secretOf(owner, login);
    await makeRole(owner, login, `LOGIN NOINHERIT PASSWORD ${pgLiteral(secret.value)}`);
    if (secret.fresh)
      await owner.query(`ALTER ROLE ${pgIdent(login)} LOGIN NOINHERIT PASSWORD ${pgLiteral(secret.value)}`);
    if (!(await isMember(owner, login)))
      await owner.query(`GRANT ${APP_ROLE}, ${EFFECTS_ROLE} TO ${pgIdent(login)}`).catch(ignoreRace);
    await grantState(owner);
    const url = new URL(ownerUrl);
    url.username = login;
    url.password = secret.value;
    const socket = await ownSocket(owner, url);
    if (socket !== null) url.searchParams.set('host', socket);
    return url.href;
  } catch (cause) {
    if ((cause as { code?: string }).code !== '42501') throw cause;
    throw userError(
      'APPS_LOGIN_REFUSED',
      'The database does not let the hub make the roles of its apps.',
      'Give the user CREATEROLE, or make the roles yourself and set apps.url; see operational-apps/runtime/README.md.',
      cause,
    );
  }
}

/**
 * Folder of the socket of a server that keeps it in its data folder, as the embedded one does: by it a round trip
 * costs two thirds of one by TCP. null where there is none, or where the server is not on this machine.
 */
async function ownSocket(owner: Pool, { port }: URL): Promise<string | null> {
  const { rows } = await owner.query<{ folder: string }>(
    `SELECT s.setting AS folder FROM pg_settings s JOIN pg_settings d ON d.setting = s.setting
     WHERE s.name = 'unix_socket_directories' AND d.name = 'data_directory'`,
  );
  const folder = rows[0]?.folder;
  return folder !== undefined && existsSync(join(folder, `.s.PGSQL.${port}`)) ? folder : null;
}

async function makeRole(owner: Pool, role: string, options: string): Promise<void> {
  const { rowCount } = await owner.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role]);
  if (rowCount === 0) await owner.query(`CREATE ROLE ${pgIdent(role)} ${options}`).catch(ignoreRace);
}

async function isMember(owner: Pool, login: string): Promise<boolean> {
  const { rows } = await owner.query<{ member: boolean }>(
    `SELECT bool_and(pg_has_role($1::name, role, 'MEMBER')) AS member FROM unnest($2::name[]) AS role`,
    [login, [APP_ROLE, EFFECTS_ROLE]],
  );
  return rows[0]?.member === true;
}

async function secretOf(owner: Pool, name: string): Promise<{ value: string; fresh: boolean }> {
  const { rowCount } = await owner.query(
    'INSERT INTO bac.secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING',
    [name, randomBytes(32).toString('hex')],
  );
  const { rows } = await owner.query<{ value: string }>('SELECT value FROM bac.secrets WHERE name = $1', [
    name,
  ]);
  return { value: rows[0]!.value, fresh: rowCount === 1 };
}

/** One statement, so that processes that come at once wait for each other instead of failing. */
async function grantState(owner: Pool): Promise<void> {
  const grants = STATE_GRANTS.flatMap(([table, app, effects]) => [
    ...(app === '' ? [] : [`GRANT ${app} ON bac.${table} TO ${APP_ROLE}`]),
    `GRANT ${effects} ON bac.${table} TO ${EFFECTS_ROLE}`,
  ]);
  const client = await owner.connect();
  try {
    await client.query('BEGIN');
    await client.query('SELECT 1 FROM bac.migrations FOR UPDATE');
    await client.query(`GRANT USAGE ON SCHEMA bac TO ${APP_ROLE}, ${EFFECTS_ROLE}`);
    for (const grant of grants) await client.query(grant);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}

/** Another process made the same role or grant in the same moment. */
function ignoreRace(error: { code?: string }): void {
  if (!['42710', '23505', 'XX000'].includes(error.code ?? '')) throw error;
}
