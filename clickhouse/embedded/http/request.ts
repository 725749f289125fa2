import type { IncomingMessage } from 'node:http';
import { refusal } from '../engine/index.ts';

/** A request's parameters, taken apart. Everything but `query` and `params` is short. */
export interface RequestParameters {
  readonly query: string;
  readonly params: Map<string, string>;
  readonly settings: Map<string, string>;
  readonly database: string | null;
  readonly queryId: string | null;
  readonly sessionId: string | null;
  readonly sessionTimeout: number;
  readonly defaultFormat: string | null;
  readonly user: string | null;
  readonly password: string | null;
}

/** Parameters of the HTTP interface itself that need nothing done here. */
const WITHOUT_EFFECT = new Set([
  'session_check',
  'quota_key',
  'buffer_size',
  'wait_end_of_query',
  'stacktrace',
  'close_session',
  'client_protocol_version',
]);

const MAX_SESSION_TIMEOUT = 3600;

/** Reads URL parameters and headers. Throws ClickHouse exceptions for what is refused. */
export function readParameters(request: IncomingMessage): RequestParameters {
  const url = new URL(request.url ?? '/', 'http://engine');
  const params = new Map<string, string>();
  const settings = new Map<string, string>();
  const own = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    if (name.startsWith('param_')) params.set(name.slice('param_'.length), value);
    else if (OWN.has(name)) own.set(name, value);
    else if (name === 'compress' || name === 'decompress') refuseOwnCompression(name, value);
    else if (name === 'role') throw refusal(511, 'UNKNOWN_ROLE', `There is no role '${value}'`);
    else if (!WITHOUT_EFFECT.has(name)) settings.set(name, value);
  }
  const header = (name: string): string | null => {
    const value = request.headers[name];
    return typeof value === 'string' ? value : null;
  };
  if (request.method === 'GET' || request.method === 'HEAD')
    settings.set('readonly', settings.get('readonly') ?? '2');
  return {
    query: own.get('query') ?? '',
    params,
    settings,
    database: own.get('database') ?? header('x-clickhouse-database'),
    queryId: own.get('query_id') || header('x-clickhouse-query-id'),
    sessionId: own.get('session_id') || null,
    sessionTimeout: readTimeout(own.get('session_timeout')),
    defaultFormat: own.get('default_format') ?? header('x-clickhouse-format'),
    user: own.get('user') ?? header('x-clickhouse-user'),
    password: own.get('password') ?? header('x-clickhouse-key'),
  };
}

const OWN = new Set([
  'query',
  'database',
  'query_id',
  'session_id',
  'session_timeout',
  'default_format',
  'user',
  'password',
]);

function refuseOwnCompression(name: string, value: string): void {
  if (value === '0' || value === '') return;
  throw refusal(
    48,
    'NOT_IMPLEMENTED',
    `${name}=${value} (ClickHouse's own compression) is not supported; use Content-Encoding and Accept-Encoding`,
  );
}

function readTimeout(text: string | undefined): number {
  if (text === undefined) return 60;
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds > 0 && seconds <= MAX_SESSION_TIMEOUT) return seconds;
  throw refusal(
    374,
    'INVALID_SESSION_TIMEOUT',
    `Session timeout '${text}' is not in 1..${MAX_SESSION_TIMEOUT}`,
  );
}
