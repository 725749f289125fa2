import type pg from 'pg';
import { type HubError, transientError, userError } from '#kernel';
import { connectSource, hostUrls } from './endpoints.ts';
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
 * SOURCE_VERSION, SOURCE_WAL_LEVEL, SOURCE_NO_REPLICATION_RIGHT; transient: SOURCE_STARTING, SOURCE_TOO_MANY_CONNECTIONS.
 */
export async function preflight(url: string, kind: SourceKind): Promise<SourceFacts> {
  assertUrl(url);
  let client: pg.Client | undefined;
  try {
    client = await connectSource(url, {});
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
    if (yugabyte) assertVersion(facts.banner);
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
    await client?.end().catch(() => undefined); // already broken
  }
}

/** Amazon RDS grants replication through a role of its own. */
async function memberOfManagedRole(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ member: boolean }>(
    "SELECT coalesce(bool_or(pg_has_role(oid, 'USAGE')), false) AS member FROM pg_roles WHERE rolname = 'rds_replication'",
  );
  return rows[0]!.member;
}

/** First release series in which the PostgreSQL replication protocol is there for everybody. */
const FIRST_YUGABYTEDB = [2024, 1];

function assertVersion(banner: string): void {
  const match = /-YB-(\d+)\.(\d+)\.\d+/.exec(banner);
  const [year = 0, series = 0] = (match ?? []).slice(1).map(Number);
  // Development versions are numbered 2.x; 2.23 is where 2024.1 was branched.
  const [first = 0, second = 0] = year < 2024 ? [2, 23] : FIRST_YUGABYTEDB;
  if (match && (year > first || (year === first && series >= second))) return;
  throw userError(
    'SOURCE_VERSION',
    `The server is too old to be captured: ${banner.slice(0, 80)}.`,
    'Upgrade to YugabyteDB 2024.1 or later.',
  );
}

function assertUrl(url: string): void {
  if (hostUrls(url) === null) {
    throw userError(
      'SOURCE_URL_INVALID',
      'The connection string is not a PostgreSQL URL.',
      'Give it as postgresql://user:password@host:port/database, special characters percent-encoded; several hosts are separated by commas.',
    );
  }
}

/** A failure of connecting to a source, classified; anything else is handed back as it is. Never tells the password. */
export function connectionError(error: unknown, url: string): unknown {
  const { code, message } = error as { code?: string; message?: string };
  const urls = (hostUrls(url) ?? []).map((one) => new URL(one));
  const { username = '', pathname = '' } = urls[0] ?? {};
  const at = urls.map(({ host, hostname }) => host || hostname).join(', ');
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
