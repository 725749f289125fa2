import type { Typed } from './typed.ts';
import { BOOLEAN, DATE, DECIMAL, INTEGER, isNumber, TEXT, type Type } from './types.ts';

/** A function over values. `rule` gives its type from the operands', or what is wrong; `sql` is immutable in PostgreSQL and YSQL. */
export interface ScalarFunction {
  readonly operands: readonly [least: number, most: number];
  readonly rule: (types: readonly Type[], operands: readonly Typed[]) => Type | string;
  /** Operands are brought to one type first. */
  readonly unified?: boolean;
  readonly sql: (operands: readonly string[], types: readonly Type[], nodes: readonly Typed[]) => string;
}

const numbers =
  (result?: Type) =>
  (types: readonly Type[]): Type | string =>
    types.every(isNumber) ? (result ?? types[0]!) : 'takes numbers';
const texts =
  (result: Type) =>
  (types: readonly Type[]): Type | string =>
    types.every((type) => type.kind === 'text') ? result : 'takes texts';
const plain =
  (name: string) =>
  (operands: readonly string[]): string =>
    `${name}(${operands.join(', ')})`;
const same = (types: readonly Type[]): Type => types[0]!;
const isDay = (type: Type): boolean => type.kind === 'date' || type.kind === 'dateTime';

export const dayOf = (sql: string, type: Type): string =>
  type.kind === 'dateTime' ? `(${sql} AT TIME ZONE 'UTC')::date` : sql;

/** Text form of a value, the same whatever the session's settings are. */
export function textOf(sql: string, type: Type): string {
  if (type.kind === 'text') return sql;
  if (type.kind === 'date') return `to_char(${sql}, 'YYYY-MM-DD')`;
  if (type.kind === 'dateTime') return `to_char(${sql} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`;
  return `(${sql})::text`;
}

type Unit = 'weeks' | 'days' | 'hours' | 'minutes';

/** `-3d` as -3 days. */
export function durationOf(text: string): { readonly count: number; readonly unit: Unit } {
  return { count: Number(text.slice(0, -1)), unit: UNITS[text.slice(-1) as keyof typeof UNITS] };
}

const DURATION = /^-?\d{1,6}[wdhm]$/;
const UNITS = { w: 'weeks', d: 'days', h: 'hours', m: 'minutes' } as const;

function addRule(types: readonly Type[], operands: readonly Typed[]): Type | string {
  const [when, much] = types;
  if (!isDay(when!)) return 'takes a date or date-time first';
  if (much!.kind === 'integer') return when!;
  const literal = operands[1]!;
  if (literal.kind !== 'literal' || typeof literal.value !== 'string' || !DURATION.test(literal.value))
    return "takes a number of days or a duration such as '3d', '-2h', '30m', '1w' second";
  if (when!.kind === 'date' && /[hm]$/.test(literal.value)) return 'takes days or weeks for a date';
  return when!;
}

function addSql([when, much]: readonly string[], types: readonly Type[], nodes: readonly Typed[]): string {
  const literal = nodes[1]!;
  const date = types[0]!.kind === 'date';
  if (literal.kind === 'literal' && types[1]!.kind === 'text') {
    const { count, unit } = durationOf(String(literal.value));
    if (date) return `(${when} + ${unit === 'weeks' ? `(${count * 7})` : `(${count})`})`;
    return `(${when} + interval '${count} ${unit}')`;
  }
  return date ? `(${when} + (${much})::integer)` : `(${when} + (${much}) * interval '1 day')`;
}

const FUNCTIONS_BY_NAME: Readonly<Record<string, ScalarFunction>> = {
  round: {
    operands: [1, 2],
    rule: numbers(DECIMAL),
    sql: ([value, digits]) =>
      digits === undefined ? `round(${value}::numeric)` : `round(${value}::numeric, ${digits}::integer)`,
  },
  floor: { operands: [1, 1], rule: numbers(INTEGER), sql: ([value]) => `floor(${value}::numeric)::bigint` },
  ceil: { operands: [1, 1], rule: numbers(INTEGER), sql: ([value]) => `ceil(${value}::numeric)::bigint` },
  abs: { operands: [1, 1], rule: numbers(), sql: plain('abs') },
  coalesce: { operands: [2, 8], rule: same, unified: true, sql: plain('coalesce') },
  least: { operands: [2, 8], rule: same, unified: true, sql: plain('least') },
  greatest: { operands: [2, 8], rule: same, unified: true, sql: plain('greatest') },
  nullif: { operands: [2, 2], rule: same, unified: true, sql: plain('nullif') },
  lower: { operands: [1, 1], rule: texts(TEXT), sql: plain('lower') },
  upper: { operands: [1, 1], rule: texts(TEXT), sql: plain('upper') },
  length: { operands: [1, 1], rule: texts(INTEGER), sql: ([text]) => `char_length(${text})::bigint` },
  starts_with: { operands: [2, 2], rule: texts(BOOLEAN), sql: plain('starts_with') },
  concat: {
    operands: [1, 20],
    rule: (types) => (types.every(isPrintable) ? TEXT : 'takes texts, numbers, dates and yes/no values'),
    sql: (operands, types) =>
      `concat(${operands.map((one, index) => textOf(one, types[index]!)).join(', ')})`,
  },
  date: {
    operands: [1, 1],
    rule: ([type]) => (isDay(type!) ? DATE : 'takes a date-time'),
    sql: ([value], [type]) => dayOf(value!, type!),
  },
  days_between: {
    operands: [2, 2],
    rule: (types) => (types.every(isDay) ? INTEGER : 'takes two dates or date-times'),
    sql: ([from, to], [a, b]) => `(${dayOf(to!, b!)} - ${dayOf(from!, a!)})::bigint`,
  },
  add: { operands: [2, 2], rule: addRule, sql: addSql },
};

export const FUNCTIONS: ReadonlyMap<string, ScalarFunction> = new Map(Object.entries(FUNCTIONS_BY_NAME));

/** Has a text form: may stand in `||` and concat. */
export const isPrintable = (type: Type): boolean =>
  !['null', 'json', 'address', 'anyReference', 'list'].includes(type.kind);

export const AGGREGATES: ReadonlySet<string> = new Set(['sum', 'count', 'min', 'max', 'avg', 'any', 'all']);

export const FUNCTION_NAMES: readonly string[] = [...FUNCTIONS.keys(), 'if', 'now', 'today', ...AGGREGATES];
