import { chIdent } from '#kernel';
import { movedBehind, sharedHop } from '../predicate.ts';
import { type Row, type Rows, type Typed, typedParts, usesOf } from '../typed.ts';
import { entityIs, Frame, looksAtOwn } from './frame.ts';
import { currentRows, type OwnRow, type Place, type WarehouseScope } from './places.ts';
import { scalarSql } from './scalar.ts';

/**
 * ClickHouse SQL over the own row, never NULL, that is true where the expression is (`wanted`) true or false;
 * where PostgreSQL's value is NULL it is neither. Looks at other rows by IN and sub-selects that do not depend
 * on the own row, and sees of them what `scope.rows` lets through. Throws NotInWarehouse.
 */
export function truthSql(node: Typed, own: OwnRow, scope: WarehouseScope, wanted = true): string {
  const part = (one: Typed, what: boolean): string => truthSql(one, own, scope, what);
  if (node.kind === 'unary' && node.operator === 'not') return part(node.operand, !wanted);
  if (node.kind === 'binary' && (node.operator === 'and' || node.operator === 'or')) {
    const joint = (node.operator === 'and') === wanted ? 'AND' : 'OR';
    return `(${part(node.left, wanted)} ${joint} ${part(node.right, wanted)})`;
  }
  const uses = usesOf(node);
  if (uses.entities.size === 0) return known(scalarSql(node, ownPlace(own), scope), wanted);
  const hop = sharedHop(node);
  if (hop) {
    const alias = scope.alias();
    const there = { entity: hop.entity, column: (name: string): string => `${alias}.${chIdent(name)}` };
    const inner = truthSql(movedBehind(node), there, scope, wanted);
    return amongSql(own.column(hop.column), `${alias}.\`id\``, there, alias, scope, [inner]);
  }
  const rows = anyOf(node);
  if (rows) {
    const found = anySql(rows.node, rows.rows, own, scope);
    return wanted ? found : `(NOT ${found})`;
  }
  return framedSql(node, own, scope, wanted);
}

const known = (sql: string, wanted: boolean): string => `ifNull(${wanted ? sql : `(NOT ${sql})`}, false)`;

/** The own row alone. */
const ownPlace = (own: OwnRow): Place => ({
  column: (_row, column) => own.column(column),
  list: (_row, column) => ({
    array: own.column(column),
    missing: `(${own.column('_raw')}['${column}'] = 'NULL')`,
  }),
  aggregate: () => {
    throw new Error('an aggregate looks at other rows');
  },
});

function amongSql(
  what: string,
  key: string,
  there: OwnRow,
  alias: string,
  scope: WarehouseScope,
  conditions: readonly string[],
): string {
  const { table, rule } = scope.rows(there.entity);
  const where = [rule(there), ...conditions].join(' AND ');
  return `ifNull(${what} GLOBAL IN (SELECT ${key} FROM ${currentRows(table, alias)} WHERE ${where}), false)`;
}

/** `any(...)` over rows that point to the own row, of which alone it speaks. */
function anyOf(node: Typed): { node: Typed & { kind: 'aggregate' }; rows: Rows } | null {
  if (node.kind !== 'aggregate' || node.function !== 'any' || node.rows.from.kind !== 'own') return null;
  const looksOut = [node.value, node.condition].some((part) => part && looksAtOwn(part));
  return looksOut ? null : { node, rows: node.rows };
}

function anySql(node: Typed & { kind: 'aggregate' }, rows: Rows, own: OwnRow, scope: WarehouseScope): string {
  const alias = scope.alias();
  const there = { entity: rows.entity, column: (name: string): string => `${alias}.${chIdent(name)}` };
  const conditions = [node.condition, node.value].flatMap((one) =>
    one ? [truthSql(eachAsOwn(one), there, scope)] : [],
  );
  if (rows.entityColumn) conditions.unshift(entityIs(rows, alias));
  return amongSql(own.column('id'), there.column(rows.column), there, alias, scope, conditions);
}

/** What an aggregate says of each of its rows, said of that row itself. */
function eachAsOwn(node: Typed): Typed {
  const row = (from: Row): Row => {
    if (from.kind === 'each') return { kind: 'own' };
    return from.kind === 'through' ? { ...from, from: row(from.from) } : from;
  };
  switch (node.kind) {
    case 'column':
      return { ...node, row: row(node.row) };
    case 'convert':
    case 'unary':
    case 'isNull':
      return { ...node, operand: eachAsOwn(node.operand) };
    case 'binary':
      return { ...node, left: eachAsOwn(node.left), right: eachAsOwn(node.right) };
    case 'in':
      return { ...node, operand: eachAsOwn(node.operand), values: node.values.map(eachAsOwn) };
    case 'call':
      return { ...node, operands: node.operands.map(eachAsOwn) };
    default:
      if (typedParts(node).length > 0) throw new Error(`${node.kind} inside an aggregate`);
      return node;
  }
}

/** Everything else: the own rows again, joined with whatever is looked at, and those found by their key. */
function framedSql(node: Typed, own: OwnRow, scope: WarehouseScope, wanted: boolean): string {
  const alias = scope.alias();
  const again = { entity: own.entity, column: (name: string): string => `${alias}.${chIdent(name)}` };
  const frame = Frame.over(scope, again, alias);
  const sql = known(scalarSql(node, frame, scope), wanted);
  return `(${own.column('id')} GLOBAL IN (SELECT ${alias}.\`id\` FROM ${frame.from()} WHERE ${alias}.\`_deleted\` = 0 AND ${sql}))`;
}
