import { refused, SqlError } from '../errors.ts';
import { type Node, stringOf } from './ast.ts';
import { constant, implicit, literal } from './coerce.ts';
import type { Compile, Env } from './env.ts';
import type { Expr } from './expr.ts';
import type { Governed } from './governed.ts';
import type { Member } from './relation.ts';
import { resolve } from './scope.ts';

/** Granularities that date_trunc and the semantic layer share; weeks begin on Monday in both. */
export const GRANULARITIES = ['second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year'] as const;

/** Coarsest granularity that still tells a field of a time. */
const ENOUGH: Readonly<Record<string, string>> = {
  year: 'year',
  isoyear: 'week',
  quarter: 'quarter',
  month: 'month',
  week: 'week',
  day: 'day',
  dow: 'day',
  isodow: 'day',
  doy: 'day',
  hour: 'hour',
  minute: 'minute',
  second: 'second',
};

/** A cube's time that a node names directly. */
export function timeMember(node: Node | undefined, env: Env): { governed: Governed; member: Member } | null {
  if (!node) return null;
  if ('TypeCast' in node && /^timestamp$|^timestamptz$/.test(castName(node.TypeCast.typeName?.names)))
    return timeMember(node.TypeCast.arg, env);
  if (!('ColumnRef' in node)) return null;
  const path = (node.ColumnRef.fields ?? []).map((one) => ('String' in one ? (one.String.sval ?? '') : '*'));
  const found = resolve(env.scope, path);
  if (!('member' in found) || !found.source.governed) return null;
  const member = found.source.governed.relation.members.get(found.member);
  return member?.time ? { governed: found.source.governed, member } : null;
}

const castName = (list: readonly Node[] | undefined): string => {
  const last = list?.at(-1);
  return last && 'String' in last ? (last.String.sval ?? '') : '';
};

/** A term over one time of a cube that needs it no finer than `granularity`. */
export interface TimeTerm {
  readonly governed: Governed;
  readonly member: Member;
  readonly granularity: string;
  /** The term is the cut time itself (date_trunc, a cast to date). */
  readonly whole: boolean;
}

export function timeTerm(node: Node, env: Env): TimeTerm | null {
  if ('TypeCast' in node && castName(node.TypeCast.typeName?.names) === 'date') {
    const time = timeMember(node.TypeCast.arg, env);
    return time && { ...time, granularity: 'day', whole: true };
  }
  if (!('FuncCall' in node)) return null;
  const { funcname, args = [] } = node.FuncCall;
  const name = castName(funcname);
  const unit = stringOf(args[0])?.toLowerCase();
  if (name === 'date' && args.length === 1) {
    const time = timeMember(args[0], env);
    return time && { ...time, granularity: 'day', whole: true };
  }
  if (unit === undefined || args.length !== 2) return null;
  const whole = name === 'date_trunc';
  const granularity = whole
    ? GRANULARITIES.find((one) => one === unit)
    : name === 'extract' || name === 'date_part'
      ? ENOUGH[unit]
      : undefined;
  const time = granularity === undefined ? null : timeMember(args[1], env);
  return time && { ...time, granularity: granularity!, whole };
}

/** A time operand, taken from a cut one where the rows have only that. */
function operand(call: Node, arg: Node, env: Env, compile: Compile): Expr {
  const term = timeTerm(call, env);
  const cut = term?.governed.time(term.member, term.granularity);
  return cut ?? compile(arg, env);
}

export function dateTrunc(call: Node, args: readonly Node[], env: Env, compile: Compile): Expr {
  const unit = stringOf(args[0])?.toLowerCase();
  if (args.length !== 2 || unit === undefined || !GRANULARITIES.some((one) => one === unit))
    throw refused(
      'date_trunc is served with a constant unit and no time zone.',
      `One of ${GRANULARITIES.join(', ')}: date_trunc('month', ...)`,
    );
  const value = operand(call, args[1]!, env, compile);
  const term = timeTerm(call, env);
  if (term?.governed.time(term.member, term.granularity)) return value;
  const at = implicit(value, 'timestamp', env.params) ?? (value.type === 'timestamptz' ? value : undefined);
  if (!at) throw new SqlError('42883', 'date_trunc needs a date or timestamp');
  return {
    sql: `CAST(date_trunc('${unit}', ${at.sql}) AS TIMESTAMP)`,
    type: value.type === 'timestamptz' ? 'timestamptz' : 'timestamp',
  };
}

/** A cast to date of a time that the rows have cut to days; null: nothing special about it. */
export function castToDate(node: Node, env: Env): Expr | null {
  const term = timeTerm(node, env);
  const cut = term?.governed.time(term.member, term.granularity);
  return cut ? { sql: `CAST(${cut.sql} AS DATE)`, type: 'date' } : null;
}

/** extract(field FROM time): numeric; date_part: double precision. */
export function extract(call: Node, name: string, args: readonly Node[], env: Env, compile: Compile): Expr {
  const field = stringOf(args[0])?.toLowerCase();
  const type = name === 'extract' ? 'numeric' : 'float8';
  if (field === undefined || !(field in ENOUGH || field === 'epoch'))
    throw refused(
      'extract is served for the usual fields only.',
      `One of ${Object.keys(ENOUGH).join(', ')}, epoch.`,
    );
  const value = operand(call, args[1]!, env, compile);
  if (value.type === 'interval' && field !== 'epoch')
    throw refused('extract from an interval is served for epoch only.', 'extract(epoch FROM ...)');
  const at = value.type === 'interval' ? value : (implicit(value, 'timestamp', env.params) ?? value);
  if (at.type !== 'timestamp' && at.type !== 'timestamptz' && at.type !== 'interval')
    throw new SqlError('42883', `${name} needs a date, timestamp or interval`);
  const sql =
    field === 'epoch' && at.type !== 'interval'
      ? `(CAST(epoch_us(${at.sql}) AS DECIMAL(38, 0)) / 1000000)`
      : field === 'second'
        ? `(CAST(microsecond(${at.sql}) AS DECIMAL(38, 0)) / 1000000)`
        : `date_part(${literal(field)}, ${at.sql})`;
  return { sql: type === 'float8' ? `CAST(${sql} AS DOUBLE)` : sql, type };
}

const PATTERNS: Readonly<Record<string, string>> = {
  YYYY: '%Y',
  MM: '%m',
  DD: '%d',
  HH24: '%H',
  MI: '%M',
  SS: '%S',
  Mon: '%b',
  Dy: '%a',
  IYYY: '%G',
  IW: '%V',
  DDD: '%j',
};

/** to_char(time, 'YYYY-MM-DD' and the like). */
export function toChar(args: readonly Node[], env: Env, compile: Compile): Expr {
  const pattern = stringOf(args[1]);
  const value = compile(args[0]!, env);
  const parts = pattern?.match(/YYYY|IYYY|IW|DDD|MM|DD|HH24|MI|SS|Mon|Dy|"[^"%]*"|[-/:., ]|T/g) ?? [];
  if (pattern === null || parts.join('') !== pattern || !/^(date|timestamp|timestamptz)$/.test(value.type))
    throw refused(
      'to_char is served for times and the plain patterns only.',
      "to_char(..., 'YYYY-MM-DD HH24:MI:SS'), with YYYY, MM, DD, HH24, MI, SS, Mon, Dy, IYYY, IW, DDD.",
    );
  const format = parts.map((part) => PATTERNS[part] ?? part.replaceAll('"', '')).join('');
  return { sql: `strftime(${value.sql}, ${literal(format)})`, type: 'text' };
}

/** to_timestamp('...', pattern) and to_date of constants, as tools write bounds of time. */
export function parsedTime(name: string, args: readonly Node[]): Expr {
  const [text, pattern] = [stringOf(args[0]), stringOf(args[1])];
  const served = name === 'to_date' ? /^YYYY-MM-DD$/ : /^YYYY-MM-DD( HH24:MI:SS(\.(US|MS))?)?$/;
  if (args.length !== 2 || text === null || pattern === null || !served.test(pattern))
    throw refused(
      `${name} is served for constants and the plain patterns only.`,
      "TIMESTAMP '2024-01-31 12:00:00'",
    );
  return constant(text, name === 'to_date' ? 'date' : 'timestamptz');
}
