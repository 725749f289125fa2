import { refused, SqlError } from '../errors.ts';
import { type Node, names } from './ast.ts';
import type { Compile, Env } from './env.ts';
import type { Expr } from './expr.ts';
import { comparable } from './operators.ts';

type SubLink = Extract<Node, { SubLink: unknown }>['SubLink'];

/** EXISTS, IN, = ANY, <> ALL and scalar sub-queries. */
export function sublink(link: SubLink, env: Env, compile: Compile): Expr {
  const made = env.statement.select(link.subselect!, env.scope, env.params);
  const [first, ...more] = made.columns;
  if (link.subLinkType === 'EXISTS_SUBLINK') return { sql: `EXISTS (${made.sql})`, type: 'bool' };
  if (!first || more.length > 0) throw new SqlError('42601', 'subquery must return only one column');
  const value: Expr = { sql: '"c0"', type: first.type };
  if (link.subLinkType === 'EXPR_SUBLINK') return { sql: `(${made.sql})`, type: first.type };
  const operator = names(link.operName).at(-1) ?? '=';
  const any = link.subLinkType === 'ANY_SUBLINK';
  if (!link.testexpr || !(any || link.subLinkType === 'ALL_SUBLINK') || !/^(=|<>|<|>|<=|>=)$/.test(operator))
    throw refused('This kind of sub-query is not served.', 'Use EXISTS, IN or a sub-query of one value.');
  const [left, right] = comparable(compile(link.testexpr, env), value, env.params);
  const inner = right.sql === value.sql ? made.sql : `SELECT ${right.sql} FROM (${made.sql}) AS u`;
  return { sql: `(${left.sql} ${operator} ${any ? 'ANY' : 'ALL'} (${inner}))`, type: 'bool' };
}
