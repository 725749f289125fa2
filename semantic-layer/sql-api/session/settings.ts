import { SqlError } from '../errors.ts';
import { SERVER_VERSION } from '../types.ts';

const DEFAULTS: Readonly<Record<string, string>> = {
  application_name: '',
  client_encoding: 'UTF8',
  client_min_messages: 'notice',
  datestyle: 'ISO, MDY',
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'on',
  extra_float_digits: '1',
  in_hot_standby: 'off',
  integer_datetimes: 'on',
  intervalstyle: 'postgres',
  is_superuser: 'off',
  lc_collate: 'C',
  lc_ctype: 'C.UTF-8',
  max_identifier_length: '63',
  search_path: 'public',
  server_encoding: 'UTF8',
  server_version: SERVER_VERSION,
  server_version_num: `${Number(SERVER_VERSION.split('.')[0]) * 10_000 + Number(SERVER_VERSION.split('.')[1] ?? 0)}`,
  standard_conforming_strings: 'on',
  statement_timeout: '0',
  timezone: 'UTC',
  transaction_isolation: 'read committed',
  transaction_read_only: 'on',
};

/** What clients are told of, at the start and when it changes; with the spelling they know. */
const REPORTED = [
  'application_name',
  'client_encoding',
  'DateStyle',
  'default_transaction_read_only',
  'in_hot_standby',
  'integer_datetimes',
  'IntervalStyle',
  'is_superuser',
  'search_path',
  'server_encoding',
  'server_version',
  'session_authorization',
  'standard_conforming_strings',
  'TimeZone',
];

/** Values other than these would change what statements mean, and are refused. */
const ONLY: Readonly<Record<string, RegExp>> = {
  client_encoding: /^(utf-?8|unicode|sql_ascii)$/i,
  standard_conforming_strings: /^(on|true|1|yes)$/i,
  datestyle: /^iso\b/i,
  intervalstyle: /^postgres$/i,
};

const MOST = 200;

/** Settings of one session: SET, SHOW, RESET. */
export class Settings {
  readonly #values = new Map<string, string>();
  readonly #user: string;
  constructor(user: string) {
    this.#user = user;
  }

  get(name: string): string | undefined {
    const key = name.toLowerCase();
    if (key === 'session_authorization' || key === 'role') return this.#user;
    return this.#values.get(key) ?? DEFAULTS[key];
  }

  /** Errors: 22023 for a value that is not served, 55P02 for what cannot be changed. */
  set(name: string, value: string): void {
    const key = name.toLowerCase();
    if (
      /^(server_|is_superuser|integer_datetimes|max_identifier)/.test(key) ||
      key === 'session_authorization'
    )
      throw new SqlError('55P02', `parameter "${name}" cannot be changed`);
    if (ONLY[key] && !ONLY[key].test(value.trim()))
      throw new SqlError('22023', `invalid value for parameter "${name}": "${value}"`, {
        hint: `Served is "${DEFAULTS[key]}".`,
      });
    if (this.#values.size >= MOST && !this.#values.has(key)) throw new SqlError('53400', 'too many settings');
    if (key === 'client_encoding' || key === 'datestyle') return;
    this.#values.set(key, value.slice(0, 1000));
  }

  reset(name: string | null): void {
    if (name === null) this.#values.clear();
    else this.#values.delete(name.toLowerCase());
  }

  reported(): [string, string][] {
    return REPORTED.map((name) => [name, this.get(name) ?? '']);
  }
  /** Name to report by, if clients are told of this setting. */
  reportedName(name: string): string | undefined {
    return REPORTED.find((one) => one.toLowerCase() === name.toLowerCase());
  }
  all(): [string, string][] {
    return [...new Set([...Object.keys(DEFAULTS), ...this.#values.keys()])]
      .sort()
      .map((name) => [name, this.get(name)!]);
  }

  get notices(): boolean {
    return /^(notice|log|debug\d?|info)$/i.test(this.get('client_min_messages') ?? '');
  }
  /** Milliseconds; 0 = none. */
  get timeoutMs(): number {
    const found = /^(\d+)\s*(ms|s|min|h)?$/.exec((this.get('statement_timeout') ?? '0').trim());
    const factor = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 }[found?.[2] ?? 'ms'] ?? 1;
    return found ? Number(found[1]) * factor : 0;
  }
}
