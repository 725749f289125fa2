import { refused, SqlError } from '../errors.ts';
import { type SqlType, TYPE_NAMES } from '../types.ts';
import { implicit, isInteger, isNumber, isTime, settle, textOf, unify } from './coerce.ts';
import type { Expr } from './expr.ts';
import type { Parameters } from './scope.ts';

const COMPARISONS = new Set(['=', '<>', '!=', '<', '<=', '>', '>=']);
const ORDER: readonly SqlType[] = ['int4', 'int8', 'numeric', 'float8'];
const wider = (a: SqlType, b: SqlType): SqlType => ORDER[Math.max(ORDER.indexOf(a), ORDER.indexOf(b))]!;

export const noOperator = (operator: string, left: Expr, right: Expr): SqlError =>
  new SqlError(
    '42883',
    `operator does not exist: ${TYPE_NAMES[left.type]} ${operator} ${TYPE_NAMES[right.type]}`,
    {
      hint: 'No operator matches the given types; add a cast.',
    },
  );

/** Both sides in one comparable type. */
export function comparable(left: Expr, right: Expr, params: Parameters, operator = '='): [Expr, Expr] {
  try {
    const { exprs } = unify([left, right], params, 'comparison');
    return [exprs[0]!, exprs[1]!];
  } catch (error) {
    if (error instanceof SqlError && error.sqlstate === '42804') throw noOperator(operator, left, right);
    throw error;
  }
}

/** `left operator right`, with PostgreSQL's meaning. */
export function binary(operator: string, first: Expr, second: Expr, params: Parameters): Expr {
  if (COMPARISONS.has(operator)) {
    const [left, right] = comparable(first, second, params, operator);
    return { sql: `(${left.sql} ${operator} ${right.sql})`, type: 'bool' };
  }
  if (operator === '||') return concatenation(first, second, params);
  if (operator === '~' || operator === '!~' || operator === '~*' || operator === '!~*')
    return regex(operator, first, second, params);
  return arithmetic(operator, first, second, params);
}

function concatenation(first: Expr, second: Expr, params: Parameters): Expr {
  const [left, right] = [settle(first, 'text', params), settle(second, 'text', params)];
  if (left.type !== 'text' && right.type !== 'text') throw noOperator('||', left, right);
  return { sql: `(${textOf(left)} || ${textOf(right)})`, type: 'text' };
}

/** What both engines' regular expressions mean the same. */
const PLAIN_REGEX =
  /^(?:[\w\s,:;@#%&=!"'<>~/-]|\\[.*+?()[\]{}|^$/-]|\\[dswDSW]|[.^$|]|\((?!\?)|\)|\[\^?[\w\s.,:;@#%&/-]+\]|[*+?](?![*+?])|\{\d+(?:,\d*)?\}(?!\?))*$/;

function regex(operator: string, first: Expr, second: Expr, params: Parameters): Expr {
  const [left, right] = [settle(first, 'text', params), settle(second, 'text', params)];
  if (left.type !== 'text' || right.type !== 'text') throw noOperator(operator, left, right);
  if (right.literal === undefined || !PLAIN_REGEX.test(right.literal))
    throw refused(
      'This regular expression may mean something else to the engine.',
      'Use LIKE, or a constant pattern without look-around, back-references and classes in brackets.',
    );
  const call = `regexp_matches(${left.sql}, ${right.sql}, '${operator.endsWith('*') ? 'si' : 's'}')`;
  return { sql: operator.startsWith('!') ? `(NOT ${call})` : call, type: 'bool' };
}

const zeroChecked = (right: Expr, sql: string): string =>
  right.literal !== undefined && Number(right.literal) !== 0
    ? sql
    : `(CASE WHEN ${right.sql} = 0 THEN error('division by zero') ELSE ${sql} END)`;

function arithmetic(operator: string, first: Expr, second: Expr, params: Parameters): Expr {
  const temporal = (type: SqlType): boolean => isTime(type) || type === 'interval';
  if (temporal(first.type) || temporal(second.type)) return times(operator, first, second, params);
  const left = settle(first, second.type === 'unknown' ? 'int4' : second.type, params);
  const right = settle(second, left.type, params);
  if (!isNumber(left.type) || !isNumber(right.type)) throw noOperator(operator, left, right);
  const type = wider(left.type, right.type);
  const both = [left, right].map((side) => implicit(side, type, params)!.sql);
  switch (operator) {
    case '+':
    case '-':
    case '*':
      return { sql: `(${both[0]} ${operator} ${both[1]})`, type };
    case '/':
      return { sql: zeroChecked(right, `(${both[0]} ${isInteger(type) ? '//' : '/'} ${both[1]})`), type };
    case '%':
      if (type === 'float8') throw noOperator(operator, left, right);
      return { sql: zeroChecked(right, `(${both[0]} % ${both[1]})`), type };
    case '^':
      return { sql: `power(CAST(${both[0]} AS DOUBLE), CAST(${both[1]} AS DOUBLE))`, type: 'float8' };
    default:
      throw refused(`The operator ${operator} is not served.`, 'Use + - * / % ^, comparisons, LIKE, IN, ||.');
  }
}

function times(operator: string, first: Expr, second: Expr, params: Parameters): Expr {
  const left = settle(first, second.type === 'interval' ? 'interval' : second.type, params);
  const right = settle(second, isTime(left.type) && operator === '-' ? left.type : 'interval', params);
  const plain = `(${left.sql} ${operator} ${right.sql})`;
  const at = (side: Expr): string => `CAST(${side.sql} AS TIMESTAMP)`;
  const [a, b] = [left.type, right.type];
  if (operator === '-' && a === 'date' && b === 'date')
    return { sql: `CAST(${plain} AS INTEGER)`, type: 'int4' };
  if ((operator === '+' || operator === '-') && a === 'date' && isInteger(b))
    return { sql: `(${left.sql} ${operator} CAST(${right.sql} AS INTEGER))`, type: 'date' };
  if (operator === '+' && isInteger(a) && b === 'date')
    return { sql: `(${right.sql} + CAST(${left.sql} AS INTEGER))`, type: 'date' };
  if (operator === '-' && isTime(a) && isTime(b))
    return { sql: `(${at(left)} - ${at(right)})`, type: 'interval' };
  if ((operator === '+' || operator === '-') && isTime(a) && b === 'interval')
    return { sql: `(${at(left)} ${operator} ${right.sql})`, type: a === 'date' ? 'timestamp' : a };
  if (operator === '+' && a === 'interval' && isTime(b))
    return { sql: `(${at(right)} + ${left.sql})`, type: b === 'date' ? 'timestamp' : b };
  if ((operator === '+' || operator === '-') && a === 'interval' && b === 'interval')
    return { sql: plain, type: 'interval' };
  if (operator === '*' && a === 'interval' && isInteger(b)) return { sql: plain, type: 'interval' };
  if (operator === '*' && isInteger(a) && b === 'interval')
    return { sql: `(${right.sql} * ${left.sql})`, type: 'interval' };
  throw noOperator(operator, left, right);
}

/** LIKE and ILIKE, whose escape character is the backslash. */
export function like(operator: string, first: Expr, second: Expr, params: Parameters): Expr {
  const [left, right] = [settle(first, 'text', params), settle(second, 'text', params)];
  if (left.type !== 'text' || right.type !== 'text') throw noOperator(operator, left, right);
  const word = operator.endsWith('*') ? 'ILIKE' : 'LIKE';
  return {
    sql: `(${left.sql} ${operator.startsWith('!') ? 'NOT ' : ''}${word} ${right.sql} ESCAPE '\\')`,
    type: 'bool',
  };
}
