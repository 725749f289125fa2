import { pgIdent, pgLiteral, pgTable } from '#kernel';
import { FUNCTIONS, textOf } from './functions.ts';
import type { Row, Rows, Typed } from './typed.ts';
import { SQL_TYPES, type Type } from './types.ts';

/** Where the parts of an expression are found in the statement it becomes a part of. */
export interface SqlContext {
  /** SQL of a column of the own row. Qualified, wherever the expression may hold sub-selects. */
  readonly column: (name: string) => string;
  /** SQL of the tenant whose rows sub-selects are held to. */
  readonly tenant: string;
  /** SQL of `$name` (null) or of one of its columns or members; of the SQL type the checks gave it. */
  readonly variables: Readonly<Record<string, (member: string | null) => string>>;
}

/** Columns of a row under an alias; bare without one (CHECK constraints, which have no sub-selects). */
export const columnsUnder =
  (alias: string | null) =>
  (name: string): string =>
    alias === null ? pgIdent(name) : `${alias}.${pgIdent(name)}`;

/**
 * SQL of a checked expression. NULL as in SQL, division exact and by zero NULL. Sub-selects see rows of
 * `context.tenant` only and are subject to row-level security like anything the same role reads.
 */
export function compileExpression(expression: Typed, context: SqlContext): string {
  return new Compiler(context).sql(expression);
}

const NUMBER = /^-?\d+(\.\d+)?$/;

export class Compiler {
  readonly #context: SqlContext;
  readonly #aliases = new Map<Rows, string>();
  #next: number;

  constructor(context: SqlContext, firstAlias = 1) {
    this.#context = context;
    this.#next = firstAlias;
  }

  sql(node: Typed): string {
    switch (node.kind) {
      case 'literal':
        return literalSql(node.value, node.type);
      case 'column':
        return this.column(node.row, node.columns.at(-1)!);
      case 'variable':
        return this.#variable(node.name)(node.member);
      case 'clock':
        return node.unit === 'now' ? 'now()' : "(now() AT TIME ZONE 'UTC')::date";
      case 'convert':
        return `(${this.sql(node.operand)}::timestamp AT TIME ZONE 'UTC')`;
      case 'unary':
        return node.operator === '-' ? `(- ${this.sql(node.operand)})` : `(NOT ${this.sql(node.operand)})`;
      case 'binary':
        return this.#binary(node);
      case 'isNull':
        return `(${this.sql(node.operand)} IS ${node.negated ? 'NOT ' : ''}NULL)`;
      case 'in': {
        const values = node.values.map((value) => this.sql(value)).join(', ');
        return `(${this.sql(node.operand)} ${node.negated ? 'NOT ' : ''}IN (${values}))`;
      }
      case 'call':
        return this.#call(node);
      case 'aggregate':
        return this.#aggregate(node);
    }
  }

  #variable(name: string): (member: string | null) => string {
    const found = this.#context.variables[name];
    if (!found) throw new Error(`$${name} has no value where this expression is used`);
    return found;
  }

  /** A column of a row: of the own one, of a variable's, of the one a reference points to. */
  column(row: Row, column: string): string {
    switch (row.kind) {
      case 'own':
        return this.#context.column(column);
      case 'variable':
        return this.#variable(row.name)(column);
      case 'each':
        return `${this.#aliases.get(row.rows)}.${pgIdent(column)}`;
      case 'through': {
        const alias = this.#alias();
        const { app, name, tenantScoped } = row.entity;
        const tenant = tenantScoped ? `${alias}."tenant_id" = ${this.#context.tenant} AND ` : '';
        return `(SELECT ${alias}.${pgIdent(column)} FROM ${pgTable(app, name)} ${alias} WHERE ${tenant}${alias}."id" = ${this.column(row.from, row.column)})`;
      }
    }
  }

  #alias(): string {
    const alias = `r${this.#next}`;
    this.#next += 1;
    return alias;
  }

  #binary(node: Typed & { kind: 'binary' }): string {
    const [left, right] = [this.sql(node.left), this.sql(node.right)];
    switch (node.operator) {
      case '/':
        return `(${left}::numeric / nullif(${right}, 0))`;
      case '||':
        return `(${textOf(left, node.left.type)} || ${textOf(right, node.right.type)})`;
      case 'contains':
        return node.left.type.kind === 'list'
          ? `(${right} = ANY (${left}::text[]))`
          : `(strpos(${left}, ${right}) > 0)`;
      case '!=':
        return `(${left} <> ${right})`;
      case 'or':
      case 'and':
        return `(${left} ${node.operator.toUpperCase()} ${right})`;
      default:
        return `(${left} ${node.operator} ${right})`;
    }
  }

  #call(node: Typed & { kind: 'call' }): string {
    const operands = node.operands.map((operand) => this.sql(operand));
    if (node.function === 'if') {
      const [condition, yes, no] = operands;
      return `(CASE WHEN ${condition} THEN ${yes} ELSE ${no} END)`;
    }
    const types = node.operands.map((operand) => operand.type);
    return FUNCTIONS.get(node.function)!.sql(operands, types, node.operands);
  }

  #aggregate(node: Typed & { kind: 'aggregate' }): string {
    const alias = this.#alias();
    const { rows } = node;
    this.#aliases.set(rows, alias);
    const where = [
      ...(rows.entity.tenantScoped ? [`${alias}."tenant_id" = ${this.#context.tenant}`] : []),
      `${alias}.${pgIdent(rows.column)} = ${this.column(rows.from, 'id')}`,
      ...(rows.entityColumn
        ? [`${alias}.${pgIdent(rows.entityColumn.column)} = ${quote(rows.entityColumn.value)}`]
        : []),
      ...(node.condition ? [this.sql(node.condition)] : []),
    ];
    const from = `FROM ${pgTable(rows.entity.app, rows.entity.name)} ${alias} WHERE ${where.join(' AND ')}`;
    const value = node.value ? this.sql(node.value) : null;
    switch (node.function) {
      case 'any':
        return `(EXISTS (SELECT 1 ${from}${value === null ? '' : ` AND ${value}`}))`;
      case 'all':
        return `(NOT EXISTS (SELECT 1 ${from} AND ${value} IS NOT TRUE))`;
      case 'count':
        return `(SELECT count(*) ${from})`;
      case 'sum':
        return `(SELECT coalesce(sum(${value}), 0)${node.type.kind === 'integer' ? '::bigint' : ''} ${from})`;
      default:
        return `(SELECT ${node.function}(${value}) ${from})`;
    }
  }
}

const quote = (text: string): string => pgLiteral(text).trim();

function literalSql(value: string | boolean | null, type: Type): string {
  const cast =
    type.kind === 'null' || type.kind === 'address' || type.kind === 'anyReference'
      ? null
      : SQL_TYPES[type.kind];
  if (value === null) return cast === null ? 'NULL' : `NULL::${cast}`;
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (type.kind === 'integer' || type.kind === 'decimal') {
    if (!NUMBER.test(value)) throw new Error('a number literal that is none');
    return value;
  }
  return `${quote(value)}::${cast}`;
}
