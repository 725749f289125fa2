import { pgIdent, pgTable } from '#kernel';
import { Compiler, type SqlContext } from './sql.ts';
import { type Row, type Typed, typedParts } from './typed.ts';

type Hop = Row & { readonly kind: 'through' };

/**
 * SQL that is true for the same rows as the expression (it may be NULL where that is false), written so
 * that an index can serve it: a comparison of a field behind a reference with something that is the same
 * for all rows becomes `owner_id = ANY (ARRAY(SELECT ...))`, looked up once a statement.
 * `context.tenant` must not depend on the row.
 */
export function compilePredicate(expression: Typed, context: SqlContext): string {
  return predicate(expression, context, 1);
}

function predicate(node: Typed, context: SqlContext, depth: number): string {
  if (node.kind === 'binary' && (node.operator === 'and' || node.operator === 'or')) {
    const sides = [node.left, node.right].map((side) => predicate(side, context, depth));
    return `(${sides.join(` ${node.operator.toUpperCase()} `)})`;
  }
  const hop = sharedHop(node);
  if (!hop) return new Compiler(context, depth * 100).sql(node);
  const alias = `p${depth}`;
  const { app, name, tenantScoped } = hop.entity;
  const tenant = tenantScoped ? `${alias}."tenant_id" = ${context.tenant} AND ` : '';
  const inner = predicate(
    movedBehind(node),
    { ...context, column: (column) => `${alias}.${pgIdent(column)}` },
    depth + 1,
  );
  return `(${context.column(hop.column)} = ANY (ARRAY(SELECT ${alias}."id" FROM ${pgTable(app, name)} ${alias} WHERE ${tenant}${inner})))`;
}

/**
 * Columns of the own row that the rows of a predicate share with something that is the same for all rows: each is
 * equal to it, or one of several. An index that holds them tells these rows by itself.
 */
export function predicateColumns(expression: Typed): string[] {
  if (expression.kind === 'binary' && expression.operator === 'and')
    return [...predicateColumns(expression.left), ...predicateColumns(expression.right)];
  const hop = sharedHop(expression);
  if (hop) return [hop.column];
  const equal = expression.kind === 'binary' && expression.operator === '=';
  if (!equal && !(expression.kind === 'in' && !expression.negated)) return [];
  const compared = typedParts(expression).filter((part) => !isShared(part));
  const [column] = compared;
  if (compared.length !== 1 || column?.kind !== 'column' || column.row.kind !== 'own') return [];
  return column.columns.length === 1 ? [...column.columns] : [];
}

const isShared = (part: Typed): boolean =>
  part.kind === 'literal' || part.kind === 'variable' || part.kind === 'clock';

/** The one reference of the own row behind which all columns of a comparison lie; null if it is not like that. */
export function sharedHop(node: Typed): Hop | null {
  // Only operators that are NULL when an operand is: elsewhere a missing record and no match differ.
  const strict = (node.kind === 'binary' && node.operator !== '||') || (node.kind === 'in' && !node.negated);
  if (!strict) return null;
  let shared: Hop | null = null;
  for (const part of typedParts(node)) {
    if (isShared(part)) continue;
    if (part.kind !== 'column') return null;
    const hop = firstHop(part.row);
    if (!hop || (shared && shared.column !== hop.column)) return null;
    shared = hop;
  }
  return shared;
}

function firstHop(row: Row): Hop | null {
  if (row.kind !== 'through') return null;
  return row.from.kind === 'own' ? row : firstHop(row.from);
}

/** The comparison seen from the record behind its shared reference. */
export function movedBehind(node: Typed): Typed {
  const row = (from: Row): Row => {
    if (from.kind !== 'through') return from;
    if (from.from.kind === 'own') return { kind: 'own' };
    return { ...from, from: row(from.from) };
  };
  const column = (part: Typed): Typed => (part.kind === 'column' ? { ...part, row: row(part.row) } : part);
  if (node.kind === 'binary') return { ...node, left: column(node.left), right: column(node.right) };
  if (node.kind === 'in') return { ...node, operand: column(node.operand), values: node.values.map(column) };
  return node;
}
