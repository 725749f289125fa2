import { pgLiteral } from '#kernel';
import { refused, SqlError } from '../errors.ts';
import { ENGINE_TYPES, type SqlType, TYPE_NAMES } from '../types.ts';
import type { Expr } from './expr.ts';
import type { Parameters } from './scope.ts';

const NUMBERS: readonly SqlType[] = ['int4', 'int8', 'numeric', 'float8'];
const TIMES: readonly SqlType[] = ['date', 'timestamp', 'timestamptz'];
export const isNumber = (type: SqlType): boolean => NUMBERS.includes(type);
export const isTime = (type: SqlType): boolean => TIMES.includes(type);
export const isInteger = (type: SqlType): boolean => type === 'int4' || type === 'int8';

/** String literal for the engine, which knows no backslash escapes. */
export const literal = (text: string): string =>
  pgLiteral(text.replaceAll('\\', '\0').replaceAll('\0', '')) && `'${text.replaceAll("'", "''")}'`;

const BOOLEANS: Readonly<Record<string, boolean>> = {
  t: true,
  true: true,
  yes: true,
  y: true,
  on: true,
  '1': true,
  f: false,
  false: false,
  no: false,
  n: false,
  off: false,
  '0': false,
};
const DAY = /^\s*(\d{4})-(\d{1,2})-(\d{1,2})\s*$/;
const MOMENT =
  /^\s*(\d{4}-\d{1,2}-\d{1,2})[ T](\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)\s*(Z|UTC|[+-]00(?::?00)?)?\s*$/i;

const bad = (text: string, type: SqlType): SqlError =>
  new SqlError(
    isTime(type) ? '22007' : '22P02',
    `invalid input syntax for type ${TYPE_NAMES[type]}: "${text}"`,
  );

/** A literal of a type, checked as PostgreSQL does. Errors: 22P02, 22007, 0A000 for forms not served. */
export function constant(text: string, type: SqlType): Expr {
  const trimmed = text.trim();
  switch (type) {
    case 'text':
    case 'unknown':
      return { sql: literal(text), type, literal: text };
    case 'bool': {
      const value = BOOLEANS[trimmed.toLowerCase()];
      if (value === undefined) throw bad(text, type);
      return { sql: String(value), type, literal: String(value) };
    }
    case 'int4':
    case 'int8': {
      if (!/^[-+]?\d+$/.test(trimmed)) throw bad(text, type);
      const limit = type === 'int4' ? 2n ** 31n : 2n ** 63n;
      const value = BigInt(trimmed.replace(/^\+/, ''));
      if (value >= limit || value < -limit)
        throw new SqlError('22003', `value "${trimmed}" is out of range for type ${TYPE_NAMES[type]}`);
      return {
        sql: `CAST(${literal(String(value))} AS ${ENGINE_TYPES[type]})`,
        type,
        literal: String(value),
      };
    }
    case 'numeric':
    case 'float8': {
      if (!/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(trimmed)) throw bad(text, type);
      const double = type === 'float8' || /e/i.test(trimmed) || trimmed.replace(/\D/g, '').length > 37;
      const scale = trimmed.split('.')[1]?.length ?? 0;
      return {
        sql: `CAST('${trimmed}' AS ${double ? 'DOUBLE' : `DECIMAL(38, ${scale})`})`,
        type,
        literal: trimmed,
      };
    }
    case 'date': {
      const day = DAY.exec(text) ?? DAY.exec(MOMENT.exec(text)?.[1] ?? '');
      if (!day) throw bad(text, type);
      const value = isoDay(day, text);
      return { sql: `DATE '${value}'`, type, literal: value };
    }
    case 'timestamp':
    case 'timestamptz': {
      const day = DAY.exec(text);
      const value = day ? `${isoDay(day, text)} 00:00:00` : moment(text, type);
      return { sql: `TIMESTAMP '${value}'`, type, literal: value };
    }
    case 'interval':
      if (
        !/^\s*([-+]?\d+(\.\d+)?\s*[a-z]+\s*)+$/i.test(text) &&
        !/^\s*-?\d{1,2}:\d{2}(:\d{2})?\s*$/.test(text)
      )
        throw refused(
          `The interval "${text}" is not of a form served here.`,
          "Write it like INTERVAL '3 days 2 hours'.",
        );
      return { sql: `CAST(${literal(trimmed)} AS INTERVAL)`, type, literal: trimmed };
  }
}

function isoDay([, year, month, day]: RegExpExecArray, text: string): string {
  const iso = `${year}-${month!.padStart(2, '0')}-${day!.padStart(2, '0')}`;
  const at = new Date(`${iso}T00:00:00Z`);
  if (Number.isNaN(at.getTime()) || at.toISOString().slice(0, 10) !== iso)
    throw new SqlError('22008', `date/time field value out of range: "${text}"`);
  return iso;
}

function moment(text: string, type: SqlType): string {
  const found = MOMENT.exec(text);
  if (!found) {
    if (/[+-]\d{2}(:?\d{2})?\s*$/.test(text) && type === 'timestamptz')
      throw refused('Times with another zone than UTC are not served.', 'Give the moment in UTC.');
    throw bad(text, type);
  }
  const day = isoDay(DAY.exec(found[1]!)!, text);
  const [hours = '', minutes = '', seconds = '00'] = found[2]!.split(':');
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) >= 60)
    throw new SqlError('22008', `date/time field value out of range: "${text}"`);
  return `${day} ${hours.padStart(2, '0')}:${minutes}:${seconds}`;
}

/** An unknown literal or parameter becomes what its neighbour is; others stay. */
export function settle(expr: Expr, type: SqlType, params: Parameters): Expr {
  if (expr.type !== 'unknown') return expr;
  const wanted = type === 'unknown' ? 'text' : type;
  if (expr.param !== undefined) {
    params.infer(expr.param, wanted);
    const value = params.values?.[expr.param - 1];
    if (value !== undefined && value !== null) return constant(value, wanted);
    return {
      sql: wanted === 'numeric' ? 'CAST(NULL AS DECIMAL(38, 0))' : `CAST(NULL AS ${ENGINE_TYPES[wanted]})`,
      type: wanted,
    };
  }
  if (expr.literal !== undefined) return constant(expr.literal, wanted);
  return { sql: expr.sql, type: wanted };
}

const asEngine = (sql: string, type: Exclude<SqlType, 'numeric'>): string =>
  `CAST(${sql} AS ${ENGINE_TYPES[type]})`;

/** Implicit conversion, where PostgreSQL has one; undefined: it has none. */
export function implicit(expr: Expr, to: SqlType, params: Parameters): Expr | undefined {
  if (expr.type === 'unknown') return settle(expr, to, params);
  if (expr.type === to) return expr;
  const [from, into] = [NUMBERS.indexOf(expr.type), NUMBERS.indexOf(to)];
  if (from >= 0 && into >= 0)
    return from > into
      ? undefined
      : { sql: to === 'numeric' ? expr.sql : asEngine(expr.sql, to as 'int8'), type: to };
  const [early, late] = [TIMES.indexOf(expr.type), TIMES.indexOf(to)];
  if (early >= 0 && late >= 0)
    return early > late ? undefined : { sql: asEngine(expr.sql, to as 'timestamp'), type: to };
  return undefined;
}

/** One type for several values, as CASE, UNION and IN need it. Errors: 42804. */
export function unify(
  exprs: readonly Expr[],
  params: Parameters,
  what: string,
): { exprs: Expr[]; type: SqlType } {
  let type: SqlType = 'unknown';
  for (const expr of exprs) {
    if (expr.type === 'unknown' || expr.type === type) continue;
    if (type === 'unknown') type = expr.type;
    else if (isNumber(type) && isNumber(expr.type))
      type = NUMBERS[Math.max(NUMBERS.indexOf(type), NUMBERS.indexOf(expr.type))]!;
    else if (isTime(type) && isTime(expr.type))
      type = TIMES[Math.max(TIMES.indexOf(type), TIMES.indexOf(expr.type))]!;
    else
      throw new SqlError(
        '42804',
        `${what} types ${TYPE_NAMES[type]} and ${TYPE_NAMES[expr.type]} cannot be matched`,
      );
  }
  if (type === 'unknown') type = 'text';
  return { exprs: exprs.map((expr) => implicit(expr, type, params)!), type };
}

/** An explicit CAST. Errors: 42846, 0A000 where the engine would give another text than PostgreSQL. */
export function cast(expr: Expr, to: SqlType, modifiers: readonly number[], params: Parameters): Expr {
  if (expr.type === 'unknown') {
    const settled = settle(expr, to, params);
    return to === 'numeric' && modifiers.length > 0 ? decimal(settled.sql, modifiers) : settled;
  }
  const from = expr.type;
  if (to === 'numeric') {
    if (from === 'text')
      throw refused(
        'Text is cast to numeric only as bigint or double precision.',
        'CAST(... AS double precision)',
      );
    if (from === 'bool' || !isNumber(from)) throw cannot(from, to);
    return modifiers.length > 0 ? decimal(expr.sql, modifiers) : { sql: expr.sql, type: to };
  }
  if (from === to) return expr;
  const allowed =
    (isNumber(from) && isNumber(to)) ||
    (isTime(from) && isTime(to)) ||
    (from === 'bool' && to === 'int4') ||
    (from === 'int4' && to === 'bool') ||
    (from === 'text' && (isInteger(to) || to === 'float8'));
  if (allowed) {
    // PostgreSQL rounds doubles to even, numerics away from zero; so does the engine, by what it holds them in.
    return { sql: asEngine(expr.sql, to), type: to };
  }
  if (to === 'text') return { sql: textOf(expr), type: 'text' };
  if (from === 'text' && (isTime(to) || to === 'bool' || to === 'interval'))
    throw refused(
      `A column of text is not read as ${TYPE_NAMES[to]}.`,
      'Filter and group by the text, or model it as a time.',
    );
  throw cannot(from, to);
}

const decimal = (sql: string, [precision = 38, scale = 0]: readonly number[]): Expr => {
  if (precision > 38 || scale < 0 || scale > precision)
    throw refused('numeric has at most 38 digits here.', 'Leave the precision out: CAST(... AS numeric)');
  return { sql: `CAST(${sql} AS DECIMAL(${precision}, ${scale}))`, type: 'numeric' };
};

const cannot = (from: SqlType, to: SqlType): SqlError =>
  new SqlError('42846', `cannot cast type ${TYPE_NAMES[from]} to ${TYPE_NAMES[to]}`);

/** A value as PostgreSQL prints it. */
export function textOf(expr: Expr): string {
  switch (expr.type) {
    case 'text':
    case 'unknown':
      return expr.sql;
    case 'int4':
    case 'int8':
    case 'bool':
    case 'date':
      return `CAST(${expr.sql} AS VARCHAR)`;
    case 'timestamp':
      return `CAST(${expr.sql} AS VARCHAR)`;
    default:
      throw refused(
        `A value of type ${TYPE_NAMES[expr.type]} is not turned into text here.`,
        'Select the number itself, or round it: CAST(CAST(... AS bigint) AS text)',
      );
  }
}
