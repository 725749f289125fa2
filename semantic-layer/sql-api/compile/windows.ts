import { refused, SqlError } from '../errors.ts';
import type { SqlType } from '../types.ts';
import { plainAggregate } from './aggregates.ts';
import type { Node } from './ast.ts';
import { implicit, unify } from './coerce.ts';
import type { Compile, Env } from './env.ts';
import type { Expr } from './expr.ts';
import { sorting } from './sorting.ts';

type Call = Extract<Node, { FuncCall: unknown }>;

const RANKS: Readonly<Record<string, SqlType>> = {
  row_number: 'int8',
  rank: 'int8',
  dense_rank: 'int8',
  percent_rank: 'float8',
  cume_dist: 'float8',
  ntile: 'int4',
};
const PLACES = new Set(['lag', 'lead', 'first_value', 'last_value', 'nth_value']);

/** A window function over the rows or groups of the SELECT. */
export function window(node: Call, name: string, env: Env, compile: Compile): Expr {
  const body = node.FuncCall;
  const over = body.over!;
  if (over.name || over.refname)
    throw refused('Named windows are not served.', 'Write the window out: OVER (PARTITION BY ...).');
  if (!env.aggregates && env.groups === null && env.scope.sources.length === 0)
    throw new SqlError('42P20', 'window functions need rows');
  const args = (body.args ?? []).map((arg) => compile(arg, env));
  const filter = body.agg_filter ? ` FILTER (WHERE ${compile(body.agg_filter, env).sql})` : '';
  const value = head(name, args, node, env);
  const partition = (over.partitionClause ?? []).map((one) => compile(one, env).sql);
  const order = (over.orderClause ?? []).map((one) => sorting(one, (key) => compile(key, env).sql));
  const parts = [
    partition.length > 0 ? `PARTITION BY ${partition.join(', ')}` : '',
    order.length > 0 ? `ORDER BY ${order.join(', ')}` : '',
    frame(over, env, compile),
  ].filter((part) => part !== '');
  const sql = `${value.sql}${filter} OVER (${parts.join(' ')})`;
  return { sql: value.type === 'int4' ? `CAST(${sql} AS INTEGER)` : sql, type: value.type };
}

function head(name: string, args: readonly Expr[], node: Call, env: Env): Expr {
  const rank = Object.hasOwn(RANKS, name) ? RANKS[name] : undefined;
  if (rank) {
    const counts = args.map((arg) => implicit(arg, 'int4', env.params)?.sql);
    if (counts.length !== (name === 'ntile' ? 1 : 0))
      throw new SqlError('42883', `function ${name} does not take these arguments`);
    return { sql: `${name}(${counts.join(', ')})`, type: rank };
  }
  if (PLACES.has(name)) {
    if (!args[0]) throw new SqlError('42883', `function ${name} needs an argument`);
    const { exprs, type } = unify(args[2] ? [args[0], args[2]] : [args[0]], env.params, name);
    const offset = args[1] && implicit(args[1], 'int4', env.params)?.sql;
    return {
      sql: `${name}(${[exprs[0]!.sql, offset, exprs[1]?.sql].filter((one) => one !== undefined).join(', ')})`,
      type,
    };
  }
  return plainAggregate(name, args, node.FuncCall.agg_star === true, env.params);
}

const ROWS = 0x4;
const GROUPS = 0x8;
const EXCLUDED = 0x8000 | 0x10000 | 0x20000;

/** Bits of `frameOptions`; source: PostgreSQL, parsenodes.h. */
function frame(over: NonNullable<Call['FuncCall']['over']>, env: Env, compile: Compile): string {
  const options = over.frameOptions ?? 0;
  if ((options & 1) === 0) return '';
  if ((options & (GROUPS | EXCLUDED)) !== 0)
    throw refused('GROUPS and EXCLUDE are not served in a window.', 'Use ROWS or RANGE.');
  const rows = (options & ROWS) !== 0;
  const offset = (node: Node | undefined): string => {
    if (!rows) throw refused('RANGE with an offset is not served.', 'Use ROWS BETWEEN ... AND ...');
    return compile(node!, { ...env, groups: null }).sql;
  };
  const bound = (shift: 0 | 1, node: Node | undefined): string => {
    const has = (bit: number): boolean => (options & (bit << shift)) !== 0;
    if (has(0x20)) return 'UNBOUNDED PRECEDING';
    if (has(0x80)) return 'UNBOUNDED FOLLOWING';
    if (has(0x200)) return 'CURRENT ROW';
    return `${offset(node)} ${has(0x800) ? 'PRECEDING' : 'FOLLOWING'}`;
  };
  return `${rows ? 'ROWS' : 'RANGE'} BETWEEN ${bound(0, over.startOffset)} AND ${bound(1, over.endOffset)}`;
}
