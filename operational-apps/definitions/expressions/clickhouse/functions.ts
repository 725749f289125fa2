import { durationOf } from '../functions.ts';
import type { Typed } from '../typed.ts';
import { isNumber, type Type } from '../types.ts';
import { NotInWarehouse } from './places.ts';
import { textSql, wideNumber } from './values.ts';

type Call = Typed & { kind: 'call' };

/** SQL of a function over values; `operands` are SQL of `node.operands`. Meanings as in `FUNCTIONS`. */
export function callSql(node: Call, operands: readonly string[]): string {
  const types = node.operands.map((operand) => operand.type);
  const [first, second] = operands as [string, string];
  const decimal = (at: number): string => wideNumber(operands[at]!, types[at]!, 'decimal');
  /** Operands brought to the type of the result. */
  const unified = (from = 0): string =>
    operands
      .slice(from)
      .map((sql) => (isNumber(node.type) ? wideNumber(sql, node.type) : sql))
      .join(', ');
  switch (node.function) {
    case 'if':
      return `if(${first}, ${unified(1)})`;
    case 'coalesce':
      return `coalesce(${unified()})`;
    case 'least':
    case 'greatest':
      return `${node.function}(${unified()})`;
    case 'nullif':
      return `nullIf(${unified()})`;
    case 'round':
      return `round(${decimal(0)}, ${digitsOf(node.operands[1])})`;
    case 'floor':
    case 'ceil':
      return `toInt256(${node.function}(${decimal(0)}))`;
    case 'abs':
      return `abs(${wideNumber(first, types[0]!)})`;
    case 'lower':
    case 'upper':
      return `${node.function}(${first})`;
    case 'length':
      return `toInt256(lengthUTF8(${first}))`;
    case 'starts_with':
      return `startsWith(${first}, ${second})`;
    case 'concat':
      return `concat('', ${operands.map((sql, at) => `ifNull(${printed(node.operands[at]!, sql)}, '')`).join(', ')})`;
    case 'date':
      return dayOf(first, types[0]!);
    case 'days_between':
      return `toInt256(dateDiff('day', ${dayOf(first, types[0]!)}, ${dayOf(second, types[1]!)}))`;
    case 'add':
      return added(node, first, second);
    default:
      throw new NotInWarehouse(`the function ${node.function}`);
  }
}

const dayOf = (sql: string, type: Type): string =>
  type.kind === 'dateTime' ? `toDate32(${sql}, 'UTC')` : sql;

/** A number written as a constant is printed as it is written. */
export const printed = (node: Typed, sql: string): string =>
  node.kind === 'literal' && isNumber(node.type) && typeof node.value === 'string'
    ? `'${node.value}'`
    : textSql(sql, node.type);

function digitsOf(node: Typed | undefined): string {
  if (node === undefined) return '0';
  if (node.kind === 'literal' && typeof node.value === 'string') return node.value;
  throw new NotInWarehouse('rounding to digits that are worked out');
}

const ADD = { weeks: 'addWeeks', days: 'addDays', hours: 'addHours', minutes: 'addMinutes' } as const;

function added(node: Call, when: string, much: string): string {
  const literal = node.operands[1]!;
  if (literal.kind === 'literal' && literal.type.kind === 'text') {
    const { count, unit } = durationOf(String(literal.value));
    return `${ADD[unit]}(${when}, ${count})`;
  }
  return `addDays(${when}, toInt64(${much}))`;
}
