import { chIdent } from '#kernel';
import { type Row, type Rows, type Typed, typedParts } from '../typed.ts';
import { currentRows, type OwnRow, type Place, type WarehouseScope } from './places.ts';
import { scalarSql } from './scalar.ts';
import { quotientSql, wideNumber } from './values.ts';

interface Join {
  readonly alias: string;
  readonly row: Row & { kind: 'through' };
  /** Output column: SQL over the joined row. */
  readonly columns: Map<string, string>;
}

/**
 * A FROM clause that grows by a join for each record an expression looks at, and by a grouped join for each
 * aggregate: ClickHouse then needs no sub-select per row. Each join has at most one row for a row of the base.
 */
export class Frame implements Place {
  readonly #scope: WarehouseScope;
  readonly #base: OwnRow;
  readonly #from: string;
  readonly #joins = new Map<string, Join>();
  readonly #clauses: (() => string)[] = [];
  #each: { readonly rows: Rows; readonly alias: string } | null = null;

  constructor(scope: WarehouseScope, base: OwnRow, from: string) {
    this.#scope = scope;
    this.#base = base;
    this.#from = from;
  }

  /** Of the rows of one entity, under `alias`; as `each` if an aggregate goes over them. */
  static over(scope: WarehouseScope, base: OwnRow, alias: string, each: Rows | null = null): Frame {
    const frame = new Frame(scope, base, currentRows(scope.rows(base.entity).table, alias));
    if (each) frame.#each = { rows: each, alias };
    return frame;
  }

  from(): string {
    return [this.#from, ...this.#clauses.map((clause) => clause())].join(' ');
  }

  column(row: Row, column: string): string {
    if (row.kind === 'own') return this.#base.column(column);
    if (row.kind === 'each') return `${this.#each!.alias}.${chIdent(column)}`;
    if (row.kind === 'variable') return this.#scope.variables[row.name]!(column);
    const join = this.#join(row);
    join.columns.set(column, `toNullable(${SOURCE}.${chIdent(column)})`);
    return `${join.alias}.${chIdent(column)}`;
  }

  list(row: Row, column: string): { array: string; missing: string } {
    const raw = (map: string): string => `(${map}['${column}'] = 'NULL')`;
    if (row.kind !== 'through')
      return { array: this.column(row, column), missing: raw(this.column(row, '_raw')) };
    const join = this.#join(row);
    const none = `${column} is null`;
    join.columns.set(column, `${SOURCE}.${chIdent(column)}`);
    join.columns.set(none, `toNullable(${raw(`${SOURCE}.${chIdent('_raw')}`)})`);
    return {
      array: `${join.alias}.${chIdent(column)}`,
      missing: `ifNull(${join.alias}.${chIdent(none)}, true)`,
    };
  }

  #join(row: Row & { kind: 'through' }): Join {
    const key = keyOf(row);
    const known = this.#joins.get(key);
    if (known) return known;
    const from = this.column(row.from, row.column);
    const alias = this.#scope.alias();
    const join: Join = { alias, row, columns: new Map() };
    this.#joins.set(key, join);
    this.#clauses.push(() => {
      const { entity } = row;
      const { table, rule } = this.#scope.rows(entity);
      const own = { entity, column: (name: string): string => `${SOURCE}.${chIdent(name)}` };
      const columns = [...join.columns].map(([name, sql]) => `${sql} AS ${chIdent(name)}`);
      const rows = `SELECT ${[`${SOURCE}.\`id\` AS \`the key\``, ...columns].join(', ')} FROM ${currentRows(table, SOURCE)} WHERE ${rule(own)}`;
      return `GLOBAL LEFT JOIN (${rows}) AS ${alias} ON ${alias}.\`the key\` = ${from}`;
    });
    return join;
  }

  aggregate(node: Typed & { kind: 'aggregate' }): string {
    const { rows } = node;
    const alias = this.#scope.alias();
    const inner = this.#scope.alias();
    const looksOut = [node.value, node.condition].some((part) => part && looksAtOwn(part));
    const frame = looksOut
      ? this.#outer(rows, inner)
      : Frame.over(this.#scope, rowUnder(rows, inner), inner, rows);
    const key = looksOut ? frame.column({ kind: 'own' }, 'id') : `${inner}.${chIdent(rows.column)}`;
    const value = node.value && scalarSql(node.value, frame, this.#scope);
    const condition = node.condition && scalarSql(node.condition, frame, this.#scope);
    const where = [
      this.#scope.rows(rows.entity).rule(rowUnder(rows, inner)),
      ...(rows.entityColumn ? [entityIs(rows, inner)] : []),
      ...(condition === null ? [] : [`ifNull(${condition}, false)`]),
    ].join(' AND ');
    const grouped = `SELECT ${key} AS \`the key\`, toNullable(${aggregateSql(node, value)}) AS \`value\` FROM ${frame.from()} WHERE ${where} GROUP BY ${key}`;
    const to = looksOut ? this.column({ kind: 'own' }, 'id') : this.column(rows.from, 'id');
    this.#clauses.push(() => `GLOBAL LEFT JOIN (${grouped}) AS ${alias} ON ${alias}.\`the key\` = ${to}`);
    return ofNone(node, `${alias}.\`value\``);
  }

  /** Own rows again, with those of the aggregate: where what is added up speaks of the own row, too. */
  #outer(rows: Rows, inner: string): Frame {
    const alias = this.#scope.alias();
    const own = { entity: this.#base.entity, column: (name: string): string => `${alias}.${chIdent(name)}` };
    const frame = Frame.over(this.#scope, own, alias);
    const from = frame.column(rows.from, 'id');
    frame.#each = { rows, alias: inner };
    const { table } = this.#scope.rows(rows.entity);
    frame.#clauses.push(
      () =>
        `GLOBAL INNER JOIN (SELECT * FROM ${currentRows(table, SOURCE)}) AS ${inner} ON ${inner}.${chIdent(rows.column)} = ${from}`,
    );
    return frame;
  }
}

/** Alias of the one table of a sub-select, seen nowhere else. */
const SOURCE = 's';

const rowUnder = (rows: Rows, alias: string): OwnRow => ({
  entity: rows.entity,
  column: (name) => `${alias}.${chIdent(name)}`,
});

/** Holds an anyReference's rows to those that point to this entity. */
export const entityIs = (rows: Rows, alias: string): string =>
  `${alias}.${chIdent(rows.entityColumn!.column)} = '${rows.entityColumn!.value}'`;

function keyOf(row: Row): string {
  return row.kind === 'through' ? `${keyOf(row.from)}>${row.column}` : row.kind;
}

function rootOf(row: Row): Row {
  return row.kind === 'through' ? rootOf(row.from) : row;
}

export function looksAtOwn(node: Typed): boolean {
  if (node.kind === 'column' && rootOf(node.row).kind === 'own') return true;
  return typedParts(node).some(looksAtOwn);
}

function aggregateSql(node: Typed & { kind: 'aggregate' }, value: string | null): string {
  const number = node.value ? wideNumber(value!, node.value.type) : '';
  switch (node.function) {
    case 'count':
      return 'toInt256(count())';
    case 'any':
      return value === null ? 'count() > 0' : `max(ifNull(${value}, false))`;
    case 'all':
      return `min(ifNull(${value}, false))`;
    case 'sum':
      return `sum(${number})`;
    case 'avg':
      return quotientSql(
        `sum(${wideNumber(value!, node.value!.type, 'decimal')})`,
        `toDecimal256(count(${value}), 38)`,
      );
    default:
      return `${node.function}(${value})`;
  }
}

/** The value where there are no rows at all. */
function ofNone(node: Typed & { kind: 'aggregate' }, sql: string): string {
  switch (node.function) {
    case 'any':
      return `ifNull(${sql}, false)`;
    case 'all':
      return `ifNull(${sql}, true)`;
    case 'count':
      return `ifNull(${sql}, toInt256(0))`;
    case 'sum':
      return `ifNull(${sql}, ${wideNumber('0', node.type)})`;
    default:
      return sql;
  }
}
