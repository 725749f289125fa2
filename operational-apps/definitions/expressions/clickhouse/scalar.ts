import type { Typed } from '../typed.ts';
import { callSql, printed } from './functions.ts';
import { NotInWarehouse, type Place, type WarehouseScope } from './places.ts';
import { literalSql, quotientSql, SCALE, wideNumber } from './values.ts';

/** SQL of an expression's value at a place, NULL as in PostgreSQL. Throws NotInWarehouse. */
export function scalarSql(node: Typed, place: Place, scope: WarehouseScope): string {
  const sql = (part: Typed): string => scalarSql(part, place, scope);
  switch (node.kind) {
    case 'literal':
      return literalSql(node.value, node.type);
    case 'column':
      if (node.type.kind === 'list') throw new NotInWarehouse('a list as a value');
      return place.column(node.row, node.columns.at(-1)!);
    case 'variable':
      return variableSql(node, scope);
    case 'clock':
      return scope.clock[node.unit];
    case 'convert':
      return `toDateTime64(${sql(node.operand)}, 6, 'UTC')`;
    case 'unary':
      return node.operator === 'not'
        ? `(NOT ${sql(node.operand)})`
        : `negate(${wideNumber(sql(node.operand), node.operand.type)})`;
    case 'binary':
      return binarySql(node, place, scope);
    case 'isNull': {
      const { operand, negated } = node;
      const not = negated ? 'NOT ' : '';
      if (operand.kind === 'column' && operand.type.kind === 'list')
        return `(${not}${place.list(operand.row, operand.columns[0]!).missing})`;
      return `((${sql(operand)}) IS ${not}NULL)`;
    }
    case 'in': {
      // One by one: a NULL among the values makes "not found" NULL, which ClickHouse's IN does not know.
      const operand = sql(node.operand);
      const any = node.values.map((value) => `(${operand} = ${sql(value)})`).join(' OR ');
      return node.negated ? `(NOT (${any}))` : `(${any})`;
    }
    case 'call':
      return callSql(
        node,
        node.operands.map((operand) => sql(operand)),
      );
    case 'aggregate':
      return place.aggregate(node);
  }
}

function variableSql(node: Typed & { kind: 'variable' }, scope: WarehouseScope): string {
  const found = scope.variables[node.name];
  if (!found) throw new NotInWarehouse(`$${node.name}`);
  return found(node.member);
}

function binarySql(node: Typed & { kind: 'binary' }, place: Place, scope: WarehouseScope): string {
  const { left, right, operator } = node;
  const sql = (part: Typed): string => scalarSql(part, place, scope);
  const wide = (part: Typed): string =>
    wideNumber(sql(part), part.type, node.type.kind as 'integer' | 'decimal');
  switch (operator) {
    case '+':
    case '-':
      return `(${wide(left)} ${operator} ${wide(right)})`;
    case '*':
      return node.type.kind === 'integer'
        ? `(${wide(left)} * ${wide(right)})`
        : `multiplyDecimal(${wide(left)}, ${wide(right)}, ${SCALE})`;
    case '/':
      return quotientSql(wide(left), wide(right));
    case '||':
      return `concat(${printed(left, sql(left))}, ${printed(right, sql(right))})`;
    case 'contains':
      if (left.type.kind === 'list') return containsSql(left, sql(right), place, scope);
      return `(position(${sql(left)}, ${sql(right)}) > 0)`;
    case 'and':
    case 'or':
      return `(${sql(left)} ${operator.toUpperCase()} ${sql(right)})`;
    default:
      return `(${sql(left)} ${operator} ${sql(right)})`;
  }
}

function containsSql(list: Typed, value: string, place: Place, scope: WarehouseScope): string {
  if (list.kind !== 'column' && list.kind !== 'variable')
    throw new NotInWarehouse('a list that is worked out');
  const { array, missing } =
    list.kind === 'column'
      ? place.list(list.row, list.columns[0]!)
      : { array: variableSql(list, scope), missing: 'false' };
  // Of an empty list everything is known: it holds no value, not even an unknown one.
  return `multiIf(${missing}, NULL, empty(${array}), false, (${value}) IS NULL, NULL, has(${array}, ${value}))`;
}
