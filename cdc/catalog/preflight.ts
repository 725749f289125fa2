import pg from 'pg';
import { type HubError, transientError, userError } from '#kernel';
import type { SourceKind } from './profile.ts';

const CHECK_SQL = `
SELECT current_setting('wal_level', true) AS wal_level, current_setting('server_version_num')::int4 AS version,
  (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user) AS may_replicate,
  current_user AS usr, current_database() AS db, version() AS banner`;

export interface SourceFacts {
  readonly serverVersion: number;
  readonly database: string;
  readonly user: string;
}

/**
 * Connects once and checks what capture needs of the server. Errors (user, each with its next step):
 * SOURCE_URL_INVALID, SOURCE_UNREACHABLE, SOURCE_AUTH_FAILED, SOURCE_DATABASE_MISSING, SOURCE_KIND_WRONG,
 * SOURCE_WAL_LEVEL, SOURCE_NO_REPLICATION_RIGHT; transient: SOURCE_STARTING, SOURCE_TOO_MANY_CONNECTIONS.
 */
export async function preflight(url: string, kind: SourceKind): Promise<SourceFacts> {
  assertUrl(url);
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined); // a broken connection also rejects the query that runs
  try {
    await client.connect();
    const { rows } = await client.query<{
      wal_level: string | null;
      version: number;
      may_replicate: boolean | null;
      usr: string;
      db: string;
      banner: string;
    }>(CHECK_SQL);
    const facts = rows[0]!;
    const yugabyte = /-YB-|yugabyte/i.test(facts.banner);
    if (yugabyte !== (kind === 'yugabytedb')) {
      throw userError(
        'SOURCE_KIND_WRONG',
        `The server is ${yugabyte ? 'YugabyteDB' : 'PostgreSQL'}, but the source is declared as ${kind}.`,
        `Declare it as ${yugabyte ? 'yugabytedb' : 'postgres'}.`,
      );
    }
    if (kind === 'postgres' && facts.wal_level !== 'logical') {
      throw userError(
        'SOURCE_WAL_LEVEL',
        `The server's wal_level is "${facts.wal_level}", so it does not log what change capture reads.`,
        'Run as superuser: ALTER SYSTEM SET wal_level = logical, then restart the server (managed services: set logical replication on in the parameter group).',
      );
    }
    if (facts.may_replicate !== true && !(await memberOfManagedRole(client))) {
      throw userError(
        'SOURCE_NO_REPLICATION_RIGHT',
        `User "${facts.usr}" may not replicate.`,
        `Run as superuser: ALTER ROLE ${facts.usr} REPLICATION.`,
      );
    }
    return { serverVersion: facts.version, database: facts.db, user: facts.usr };
  } catch (error) {
    throw connectionError(error, url);
  } finally {
    await client.end().catch(() => undefined); // already broken
  }
}

/** Amazon RDS grants replication through a role of its own. */
async function memberOfManagedRole(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ member: boolean }>(
    "SELECT coalesce(bool_or(pg_has_role(oid, 'USAGE')), false) AS member FROM pg_roles WHERE rolname = 'rds_replication'",
  );
  return rows[0]!.member;
}

function assertUrl(url: string): void {
  const protocol = URL.canParse(url) ? new URL(url).protocol : '';
  if (protocol !== 'postgres:' && protocol !== 'postgresql:') {
    throw userError(
      'SOURCE_URL_INVALID',
      'The connection string is not a PostgreSQL URL.',
      'Give it as postgresql://user:password@host:port/database, special characters percent-encoded.',
    );
  }
}

/** A failure of connecting to a source, classified; anything else is handed back as it is. Never tells the password. */
export function connectionError(error: unknown, url: string): unknown {
  const { code, message } = error as { code?: string; message?: string };
  const { host, hostname, username, pathname } = new URL(url);
  const at = host || hostname;
  const database = decodeURIComponent(pathname.slice(1));
  const user = decodeURIComponent(username);
  switch (code) {
    case 'ECONNREFUSED':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
    case 'ECONNRESET':
      return unreachable(at, code, error);
    case '28P01':
    case '28000':
      return userError(
        'SOURCE_AUTH_FAILED',
        `${at} refused user "${user}": ${message}.`,
        'Check user and password in the URL, and that pg_hba.conf lets this host in.',
        error,
      );
    case '3D000':
      return userError(
        'SOURCE_DATABASE_MISSING',
        `There is no database "${database}" at ${at}.`,
        'Correct the last part of the URL; `psql -l` lists the databases.',
        error,
      );
    case '42501':
      return userError(
        'SOURCE_AUTH_FAILED',
        `User "${user}" may not connect to "${database}": ${message}.`,
        `Run as superuser: GRANT CONNECT ON DATABASE "${database}" TO "${user}".`,
        error,
      );
    case '57P03':
      return transientError('SOURCE_STARTING', `${at} is starting up or shutting down.`, error);
    case '53300':
      return transientError('SOURCE_TOO_MANY_CONNECTIONS', `${at} has no connection left.`, error);
    default:
      if (message?.includes('timeout expired') || message?.includes('Connection terminated')) {
        return unreachable(at, 'no answer', error);
      }
      if (message?.includes('SASL') || message?.includes('password must be a string')) {
        return userError(
          'SOURCE_AUTH_FAILED',
          `${at} asks for a password and the URL has none that fits.`,
          'Put user and password into the URL.',
          error,
        );
      }
      return error;
  }
}

const unreachable = (at: string, why: string, cause: unknown): HubError =>
  userError(
    'SOURCE_UNREACHABLE',
    `No database answers at ${at} (${why}).`,
    'Check host and port in the URL, that the server runs, and that a firewall lets this host through.',
    cause,
  );
