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

/** More of them than this are left together: each costs a part of every page. */
const MOST_ALTERNATIVES = 8;

/** Predicates of which one must hold for `expression` to hold, each without an `or` of its own; itself if they were too many. */
export function alternatives(expression: Typed): readonly Typed[] {
  const all = disjuncts(expression);
  return all.length > MOST_ALTERNATIVES ? [expression] : all;
}

function disjuncts(node: Typed): readonly Typed[] {
  if (node.kind !== 'binary' || (node.operator !== 'or' && node.operator !== 'and')) return [node];
  const [left, right] = [disjuncts(node.left), disjuncts(node.right)];
  if (node.operator === 'or') return [...left, ...right];
  // Beyond the limit nothing is multiplied out: the sides would grow without bound.
  if (left.length * right.length > MOST_ALTERNATIVES) return [node];
  return left.flatMap((one) => right.map((other) => ({ ...node, left: one, right: other })));
}

/**
 * Columns of the own row by which an index tells the rows of a predicate: each is compared with something that is the
 * same for all rows. Those that must be equal to it, or one of several, come first.
 */
export function predicateColumns(expression: Typed): string[] {
  const columns = comparedColumns(expression);
  return [...columns.filter(({ equal }) => equal), ...columns.filter(({ equal }) => !equal)].map(
    ({ column }) => column,
  );
}

const ORDERED: readonly string[] = ['<', '<=', '>', '>='];

function comparedColumns(expression: Typed): { readonly column: string; readonly equal: boolean }[] {
  if (expression.kind === 'binary' && (expression.operator === 'and' || expression.operator === 'or'))
    return [...comparedColumns(expression.left), ...comparedColumns(expression.right)];
  const hop = sharedHop(expression);
  if (hop) return [{ column: hop.column, equal: true }];
  const isNull = expression.kind === 'isNull' && !expression.negated;
  const equal =
    isNull ||
    (expression.kind === 'binary' && expression.operator === '=') ||
    (expression.kind === 'in' && !expression.negated);
  const ordered = expression.kind === 'binary' && ORDERED.includes(expression.operator);
  if (!equal && !ordered) return [];
  const compared = typedParts(expression).filter((part) => !isShared(part));
  const [column] = compared;
  if (compared.length !== 1 || column?.kind !== 'column' || column.columns.length !== 1) return [];
  if (column.row.kind === 'own') return column.columns.map((name) => ({ column: name, equal }));
  return [];
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
