import { refused, SqlError } from '../errors.ts';
import { type Node, names } from './ast.ts';
import { canonical } from './canonical.ts';
import { settle } from './coerce.ts';
import type { Env, Groups, StatementContext } from './env.ts';
import type { Expr } from './expr.ts';
import { condition, expression } from './expressions.ts';
import { type Pushed, pushable } from './filters.ts';
import { type From, fromItems } from './from.ts';
import type { Governed } from './governed.ts';
import { groupBy, groupNodes } from './grouping.ts';
import { pushLimit } from './limit.ts';
import type { Model } from './relation.ts';
import type { Cte, OutputColumn, Parameters, Scope } from './scope.ts';
import { aggregatesIn, type Block, shapeOf } from './shape.ts';
import { type OrderKey, sorting } from './sorting.ts';
import { nameOf, starColumns } from './targets.ts';

export type Select = Extract<Node, { SelectStmt: unknown }>['SelectStmt'];

export interface SelectContext extends StatementContext {
  readonly model: Model;
  fresh(): string;
  governed(made: Governed): void;
  compileSelect(
    body: Select,
    outer: Scope | null,
    ctes: ReadonlyMap<string, Cte>,
    params: Parameters,
  ): { sql: string; columns: readonly OutputColumn[] };
}

interface Target {
  readonly node: Node | null;
  readonly name: string;
}

/** One SELECT ... FROM ... of the statement. */
export function selectBlock(
  body: Select,
  outer: Scope | null,
  ctes: ReadonlyMap<string, Cte>,
  params: Parameters,
  context: SelectContext,
): { sql: string; columns: readonly OutputColumn[] } {
  refuseOddities(body);
  const from = fromItems(body.fromClause ?? [], {
    ...{ model: context.model, ctes },
    fresh: () => context.fresh(),
    governed: (made) => context.governed(made),
    push: (where, inner) =>
      pushAll(where, { scope: inner, params, statement: context, groups: null, aggregates: false }),
    select: (node, around) =>
      context.compileSelect((node as { SelectStmt: Select }).SelectStmt, around, ctes, params),
  });
  const scope: Scope = { sources: from.sources, outer, ctes, merged: from.merged };
  const plain: Env = { scope, params, statement: context, groups: null, aggregates: false };
  const targets = (body.targetList ?? []).flatMap((target) => targetsOf(target));
  const named = groupNodes(body.groupClause ?? [], targets, scope);
  const order = (body.sortClause ?? []).map((node) => orderNode(node, targets));
  const own = [
    ...targets.map((target) => target.node ?? undefined),
    body.havingClause,
    ...order.map((one) => one.node ?? undefined),
  ];
  const grouped =
    (body.groupClause ?? []).length > 0 || body.havingClause !== undefined || aggregatesIn(own).length > 0;
  const residual = pushFilters(body.whereClause, from, plain);
  const distinct = (body.distinctClause ?? []).length > 0;
  const block: Block = {
    targets: targets.flatMap((target) => target.node ?? []),
    groups: named.keys,
    groupingSets: named.sets,
    residual,
    having: body.havingClause,
    order: order.flatMap((one) => one.node ?? []),
    distinct: distinct && !targets.some((target) => target.node && isStar(target.node)),
    grouped,
  };
  const only = from.sources.length === 1 ? from.sources[0]!.governed : null;
  if (only) shapeOf(block, only, plain, context.model);

  const where = residual.map((node) => condition(node, plain));
  const groups = grouped ? groupsOf(named.keys, plain) : null;
  const env: Env = { ...plain, groups, aggregates: true };
  const all = targets.flatMap((target) => {
    if (target.node && isStar(target.node)) {
      if (grouped)
        throw new SqlError('42803', 'SELECT * does not go with GROUP BY or aggregates', {
          hint: 'Name the columns.',
        });
      return starColumns(target.node, scope).map(
        ({ name, value }): { name: string; value: Expr; node: Node | null } => ({ name, value, node: null }),
      );
    }
    return [
      { name: target.name, value: settle(expression(target.node!, env), 'text', params), node: target.node },
    ];
  });
  const groupSql = groupBy(body.groupClause ?? [], named, plain);
  const having = body.havingClause ? condition(body.havingClause, env) : null;
  const orderSql = order.map((one) => sortKey(one, all, env, distinct));
  const limits = limitSql(body, plain);
  if (only && !having && where.length === 0)
    pushLimit(only, {
      limit: limits.count,
      offset: limits.offset,
      order,
      targets: all,
      distinct,
      grouped,
      block,
      env,
    });
  const fromSql = from.sources.length > 0 ? from.sql(plain) : '';
  const parts = [
    `SELECT ${distinctSql(body, env)}${all.map((one, at) => `${one.value.sql} AS "c${at}"`).join(', ')}`,
    fromSql && `FROM ${fromSql}`,
    where.length > 0 && `WHERE ${where.join(' AND ')}`,
    groupSql && `GROUP BY ${groupSql}`,
    having && `HAVING ${having}`,
    orderSql.length > 0 && `ORDER BY ${orderSql.join(', ')}`,
    limits.sql,
  ];
  return {
    sql: parts.filter((part) => part).join(' '),
    columns: all.map((one) => ({
      name: one.name,
      type: one.value.type === 'unknown' ? 'text' : one.value.type,
    })),
  };
}

function refuseOddities(body: Select): void {
  if (body.intoClause) throw refused('SELECT INTO is not served.', 'The SQL API only reads.');
  if (body.lockingClause?.length)
    throw refused('FOR UPDATE and FOR SHARE are not served.', 'Leave the clause out.');
  if (body.windowClause?.length)
    throw refused('WINDOW clauses are not served.', 'Write the window out in OVER (...).');
  if (body.groupDistinct) throw refused('GROUP BY DISTINCT is not served.', 'Leave DISTINCT out.');
}

const isStar = (node: Node): boolean =>
  'ColumnRef' in node && (node.ColumnRef.fields ?? []).some((field) => 'A_Star' in field);

function targetsOf(node: Node): Target[] {
  if (!('ResTarget' in node)) return [];
  const { name, val } = node.ResTarget;
  return [{ node: val!, name: name ?? nameOf(val!) }];
}

/** All conditions of a sub-query that is taken for its cube; false: one of them is the engine's. */
function pushAll(where: Node, env: Env): boolean {
  return conjuncts(where).every((node) => take(pushable(node, env, expression)));
}

function take(pushed: Pushed | null): boolean {
  if (pushed?.segment !== undefined) pushed.governed.segments.push(pushed.segment);
  else if (pushed) pushed.governed.filters.push(pushed.filter);
  return pushed !== null;
}

function pushFilters(where: Node | undefined, from: From, env: Env): Node[] {
  const residual: Node[] = [];
  for (const node of conjuncts(where)) {
    if (!take(from.inner ? pushable(node, env, expression) : null)) residual.push(node);
  }
  return residual;
}

const conjuncts = (node: Node | undefined): Node[] =>
  node === undefined
    ? []
    : 'BoolExpr' in node && node.BoolExpr.boolop === 'AND_EXPR'
      ? (node.BoolExpr.args ?? []).flatMap(conjuncts)
      : [node];

const groupsOf = (keys: readonly Node[], env: Env): Groups => ({
  canonical: new Set(keys.map((key) => canonical(key, env.scope))),
  sql: new Set(keys.filter((key) => 'ColumnRef' in key).map((key) => expression(key, env).sql)),
});

/** ORDER BY takes a place, then a name of the result, then any expression. */
function orderNode(node: Node, targets: readonly Target[]): OrderKey {
  const key = 'SortBy' in node ? node.SortBy.node! : node;
  if ('A_Const' in key && key.A_Const.ival) {
    const place = key.A_Const.ival.ival ?? 0;
    return { sort: node, node: targets[place - 1]?.node ?? null, place };
  }
  if ('ColumnRef' in key && key.ColumnRef.fields?.length === 1) {
    const name = names(key.ColumnRef.fields)[0]!;
    const at = targets.findIndex((target) => target.node && !isStar(target.node) && target.name === name);
    const stars = targets.some((target) => target.node && isStar(target.node));
    if (at >= 0 && !stars) return { sort: node, node: targets[at]!.node, place: at + 1 };
  }
  return { sort: node, node: key, place: null };
}

type Out = readonly { readonly name: string; readonly value: Expr; readonly node: Node | null }[];

function sortKey(one: OrderKey, all: Out, env: Env, distinct: boolean): string {
  if (one.place !== null) {
    if (one.place < 1 || one.place > all.length)
      throw new SqlError('42P10', `ORDER BY position ${one.place} is not in select list`);
    return sorting(one.sort, () => `"c${one.place! - 1}"`);
  }
  if (!distinct) return sorting(one.sort, (key) => expression(key, env).sql);
  const text = canonical(one.node!, env.scope);
  const at = all.findIndex((out) => out.node && canonical(out.node, env.scope) === text);
  if (at < 0)
    throw new SqlError('42P10', 'for SELECT DISTINCT, ORDER BY expressions must appear in select list');
  return sorting(one.sort, () => `"c${at}"`);
}

function distinctSql(body: Select, env: Env): string {
  const keys = (body.distinctClause ?? []).filter((node) => Object.keys(node).length > 0);
  if ((body.distinctClause ?? []).length === 0) return '';
  return keys.length === 0
    ? 'DISTINCT '
    : `DISTINCT ON (${keys.map((key) => expression(key, env).sql).join(', ')}) `;
}

export function limitSql(body: Select, env: Env): { sql: string; count: number | null; offset: number } {
  if (body.limitOption === 'LIMIT_OPTION_WITH_TIES') throw refused('WITH TIES is not served.', 'Use LIMIT.');
  const count = amount(body.limitCount, env);
  const offset = amount(body.limitOffset, env);
  return {
    sql: [count === null ? '' : `LIMIT ${count}`, offset === null ? '' : `OFFSET ${offset}`].join(' ').trim(),
    count,
    offset: offset ?? 0,
  };
}

function amount(node: Node | undefined, env: Env): number | null {
  if (!node || ('A_Const' in node && node.A_Const.isnull)) return null;
  const value = settle(expression(node, { ...env, groups: null }), 'int8', env.params);
  if (value.literal === undefined && value.param === undefined && !/NULL/.test(value.sql))
    throw refused('LIMIT takes a number.', 'LIMIT 100');
  if (value.literal === undefined) return null;
  const number = Number(value.literal);
  if (!Number.isInteger(number)) throw refused('LIMIT takes a whole number.', 'LIMIT 100');
  if (number < 0) throw new SqlError('2201W', 'LIMIT must not be negative');
  return number;
}
