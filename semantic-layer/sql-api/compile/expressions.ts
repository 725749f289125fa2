import { refused, SqlError } from '../errors.ts';
import { DATABASE, SERVER_VERSION, typeNamed } from '../types.ts';
import { aggregate, isAggregate } from './aggregates.ts';
import { type Node, names, unwrap } from './ast.ts';
import { canonical } from './canonical.ts';
import { cast, constant, isNumber, settle, unify } from './coerce.ts';
import { type Env, withoutGroups } from './env.ts';
import type { Expr } from './expr.ts';
import { isScalar, scalar } from './functions.ts';
import type { Governed } from './governed.ts';
import { binary, comparable, like, noOperator } from './operators.ts';
import { resolve } from './scope.ts';
import { sublink } from './sublinks.ts';
import { castToDate, dateTrunc, extract, parsedTime, toChar } from './times.ts';
import { window } from './windows.ts';

/** Compiles an expression; nothing that is not named here reaches the engine. Errors: SqlError. */
export function expression(node: Node, env: Env): Expr {
  if (env.groups?.canonical.has(canonical(node, env.scope))) return dispatch(node, withoutGroups(env));
  return dispatch(node, env);
}

function dispatch(node: Node, env: Env): Expr {
  if ('ColumnRef' in node) return column(node.ColumnRef.fields, env);
  if ('A_Const' in node) return literalOf(node.A_Const);
  if ('ParamRef' in node) return parameter(node.ParamRef.number ?? 0, env);
  if ('A_Expr' in node) return operator(node.A_Expr, env);
  if ('FuncCall' in node) return call(node, env);
  if ('TypeCast' in node) return typeCast(node, env);
  if ('SubLink' in node) return sublink(node.SubLink, env, expression);
  if ('BoolExpr' in node) {
    const parts = (node.BoolExpr.args ?? []).map((arg) => condition(arg, env));
    if (node.BoolExpr.boolop === 'NOT_EXPR') return { sql: `(NOT ${parts[0]})`, type: 'bool' };
    return { sql: `(${parts.join(node.BoolExpr.boolop === 'AND_EXPR' ? ' AND ' : ' OR ')})`, type: 'bool' };
  }
  if ('NullTest' in node) {
    const value = settle(expression(node.NullTest.arg!, env), 'text', env.params);
    return {
      sql: `(${value.sql} IS ${node.NullTest.nulltesttype === 'IS_NULL' ? '' : 'NOT '}NULL)`,
      type: 'bool',
    };
  }
  if ('BooleanTest' in node) {
    const test = (node.BooleanTest.booltesttype ?? 'IS_TRUE')
      .replace('IS_NOT_', 'IS NOT ')
      .replace('IS_', 'IS ');
    const value = condition(node.BooleanTest.arg!, env);
    return { sql: `(${value} ${test.replace('UNKNOWN', 'NULL')})`, type: 'bool' };
  }
  if ('CaseExpr' in node) return caseOf(node.CaseExpr, env);
  if ('CoalesceExpr' in node) return list('coalesce', 'COALESCE', node.CoalesceExpr.args, env);
  if ('MinMaxExpr' in node) {
    const greatest = node.MinMaxExpr.op !== 'IS_LEAST';
    return list(greatest ? 'greatest' : 'least', greatest ? 'GREATEST' : 'LEAST', node.MinMaxExpr.args, env);
  }
  if ('SQLValueFunction' in node) return currentValue(node.SQLValueFunction.op ?? '', env);
  if ('CollateClause' in node) {
    const name = names(node.CollateClause.collname).at(-1);
    if (name !== 'C' && name !== 'POSIX' && name !== 'default' && name !== 'ucs_basic')
      throw refused(`The collation "${name}" is not served.`, 'Text is ordered by its bytes: COLLATE "C".');
    return expression(node.CollateClause.arg!, env);
  }
  if ('GroupingFunc' in node) {
    if (!env.groups) throw new SqlError('42803', 'GROUPING needs a GROUP BY');
    const args = (node.GroupingFunc.args ?? []).map((arg) => expression(arg, env).sql);
    return { sql: `CAST(GROUPING(${args.join(', ')}) AS INTEGER)`, type: 'int4' };
  }
  throw refused(`${unwrap(node).tag} is not served in an expression.`, 'docs/sql-api.md lists what is.');
}

/** A boolean expression. Errors: 42804. */
export function condition(node: Node, env: Env): string {
  const value = settle(expression(node, env), 'bool', env.params);
  if (value.type !== 'bool')
    throw new SqlError('42804', `argument must be type boolean, not type ${value.type}`);
  return value.sql;
}

function column(fields: readonly Node[] | undefined, env: Env): Expr {
  const path = names(fields);
  if (fields?.some((field) => 'A_Star' in field)) throw new SqlError('42601', '* cannot stand here');
  const found = resolve(env.scope, path);
  if ('merged' in found) return ofGroup(found.merged, found.merged.sql, path, env);
  const own = env.scope.sources.includes(found.source);
  if ('column' in found) return own ? ofGroup(found.column, found.column.sql, path, env) : found.column;
  const source = found.source.governed!;
  const member = source.relation.members.get(found.member);
  if (own && env.groups && member?.kind === 'dimension')
    ofGroup({ sql: '', type: member.type }, source.reference({ member, granularity: null }), path, env);
  return governed(source, found.member);
}

/** A plain column of a grouped SELECT has to be one of its groups. */
function ofGroup({ sql, type }: Expr, reference: string, path: readonly string[], env: Env): Expr {
  if (!env.groups || env.groups.sql.has(reference)) return { sql, type };
  throw new SqlError(
    '42803',
    `column "${path.join('.')}" must appear in the GROUP BY clause or be used in an aggregate function`,
    { hint: `Add it: GROUP BY ..., ${path.join('.')}` },
  );
}

function governed(source: Governed, name: string): Expr {
  const member = source.relation.members.get(name);
  if (!member)
    throw refused(
      `The segment "${name}" can only be a condition of WHERE.`,
      `SELECT ... FROM ${source.relation.name} WHERE ${name}`,
    );
  return source.column(member);
}

type Constant = Extract<Node, { A_Const: unknown }>['A_Const'];

function literalOf(value: Constant): Expr {
  if (value.isnull) return { sql: 'NULL', type: 'unknown' };
  if (value.sval)
    return {
      sql: `'${(value.sval.sval ?? '').replaceAll("'", "''")}'`,
      type: 'unknown',
      literal: value.sval.sval ?? '',
    };
  if (value.boolval) return constant(String(value.boolval.boolval ?? false), 'bool');
  if (value.fval) {
    const text = value.fval.fval ?? '0';
    const whole = /^\d+$/.test(text) && BigInt(text) < 2n ** 63n;
    return constant(text, whole ? 'int8' : 'numeric');
  }
  if (value.ival) return constant(String(value.ival.ival ?? 0), 'int4');
  throw refused('Bit strings are not served.', 'Use numbers.');
}

function parameter(number: number, env: Env): Expr {
  const type = env.params.types[number - 1];
  const value = env.params.values?.[number - 1];
  if (env.params.types.length < number) env.params.types.length = number;
  if (type === undefined) return { sql: 'NULL', type: 'unknown', param: number };
  return value === null || value === undefined
    ? settle({ sql: 'NULL', type: 'unknown', param: number }, type, env.params)
    : constant(value, type);
}

function typeCast(node: Extract<Node, { TypeCast: unknown }>, env: Env): Expr {
  const { arg, typeName } = node.TypeCast;
  const name = names(typeName?.names).at(-1) ?? '';
  const type = typeName?.arrayBounds?.length ? undefined : typeNamed(name);
  if (!type)
    throw refused(
      `The type "${name}" is not served.`,
      'Served are boolean, integer, bigint, numeric, double precision, text, date, timestamp, interval.',
    );
  if (type === 'date') {
    const cut = castToDate(node, env);
    if (cut) return cut;
  }
  const modifiers = (typeName?.typmods ?? []).map((one) =>
    'A_Const' in one ? (one.A_Const.ival?.ival ?? 0) : Number.NaN,
  );
  if (type === 'text' && modifiers.length > 0 && name !== 'varchar')
    throw refused('Fixed-length text is not served.', 'CAST(... AS text)');
  const value = cast(expression(arg!, env), type, type === 'numeric' ? modifiers : [], env.params);
  return type === 'text' && modifiers[0] !== undefined
    ? { sql: `left(${value.sql}, ${modifiers[0]})`, type }
    : value;
}

type Operation = Extract<Node, { A_Expr: unknown }>['A_Expr'];
const itemsOf = (node: Node | undefined): readonly Node[] =>
  node && 'List' in node ? (node.List.items ?? []) : [];

function operator(body: Operation, env: Env): Expr {
  const name = names(body.name).at(-1) ?? '';
  const { params } = env;
  const side = (node: Node | undefined): Expr => expression(node!, env);
  switch (body.kind) {
    case 'AEXPR_OP':
      return body.lexpr
        ? binary(name, side(body.lexpr), side(body.rexpr), params)
        : unary(name, side(body.rexpr), env);
    case 'AEXPR_LIKE':
    case 'AEXPR_ILIKE':
      return like(
        `${name.startsWith('!') ? '!' : ''}~~${body.kind === 'AEXPR_ILIKE' ? '*' : ''}`,
        side(body.lexpr),
        side(body.rexpr),
        params,
      );
    case 'AEXPR_IN': {
      const { exprs } = unifyComparable([side(body.lexpr), ...itemsOf(body.rexpr).map(side)], env);
      return {
        sql: `(${exprs[0]!.sql} ${name === '<>' ? 'NOT IN' : 'IN'} (${exprs
          .slice(1)
          .map((one) => one.sql)
          .join(', ')}))`,
        type: 'bool',
      };
    }
    case 'AEXPR_BETWEEN':
    case 'AEXPR_NOT_BETWEEN': {
      const { exprs } = unifyComparable([side(body.lexpr), ...itemsOf(body.rexpr).map(side)], env);
      const [value, low, high] = exprs.map((one) => one.sql);
      return {
        sql: `(${value} ${body.kind === 'AEXPR_BETWEEN' ? '' : 'NOT '}BETWEEN ${low} AND ${high})`,
        type: 'bool',
      };
    }
    case 'AEXPR_DISTINCT':
    case 'AEXPR_NOT_DISTINCT': {
      const [left, right] = comparable(side(body.lexpr), side(body.rexpr), params);
      return {
        sql: `(${left.sql} IS ${body.kind === 'AEXPR_DISTINCT' ? '' : 'NOT '}DISTINCT FROM ${right.sql})`,
        type: 'bool',
      };
    }
    case 'AEXPR_NULLIF': {
      const [left, right] = comparable(side(body.lexpr), side(body.rexpr), params);
      return { sql: `NULLIF(${left.sql}, ${right.sql})`, type: left.type };
    }
    case 'AEXPR_OP_ANY':
    case 'AEXPR_OP_ALL': {
      const elements =
        body.rexpr && 'A_ArrayExpr' in body.rexpr ? (body.rexpr.A_ArrayExpr.elements ?? []) : null;
      const isIn = body.kind === 'AEXPR_OP_ANY' ? name === '=' : name === '<>';
      if (!elements || elements.length === 0 || !isIn)
        throw refused('ANY and ALL are served over ARRAY[...] as = ANY and <> ALL.', 'Use IN (...).');
      const { exprs } = unifyComparable([side(body.lexpr), ...elements.map(side)], env);
      return {
        sql: `(${exprs[0]!.sql} ${name === '=' ? 'IN' : 'NOT IN'} (${exprs
          .slice(1)
          .map((one) => one.sql)
          .join(', ')}))`,
        type: 'bool',
      };
    }
    default:
      throw refused(
        `The operator ${body.kind ?? name} is not served.`,
        'Use comparisons, LIKE, IN, BETWEEN.',
      );
  }
}

function unifyComparable(exprs: Expr[], env: Env): { exprs: Expr[] } {
  try {
    return unify(exprs, env.params, 'IN');
  } catch (error) {
    if (error instanceof SqlError && error.sqlstate === '42804')
      throw noOperator(
        '=',
        exprs[0]!,
        exprs.find((one) => one.type !== 'unknown' && one.type !== exprs[0]!.type) ?? exprs[0]!,
      );
    throw error;
  }
}

function unary(name: string, value: Expr, env: Env): Expr {
  const settled = settle(value, 'float8', env.params);
  if (!isNumber(settled.type) && settled.type !== 'interval')
    throw new SqlError('42883', `operator does not exist: ${name} ${settled.type}`);
  if (name === '+') return settled;
  if (name !== '-') throw refused(`The operator ${name} is not served.`, 'Use - and +.');
  if (settled.literal !== undefined && isNumber(settled.type))
    return constant(negated(settled.literal), settled.type);
  return { sql: `(- ${settled.sql})`, type: settled.type };
}
const negated = (text: string): string => (text.startsWith('-') ? text.slice(1) : `-${text}`);

function caseOf(body: Extract<Node, { CaseExpr: unknown }>['CaseExpr'], env: Env): Expr {
  const whens = (body.args ?? []).flatMap((arg) => ('CaseWhen' in arg ? [arg.CaseWhen] : []));
  const tested = body.arg ? expression(body.arg, env) : null;
  const tests = whens.map((when) => {
    if (!tested) return condition(when.expr!, env);
    const [left, right] = comparable(tested, expression(when.expr!, env), env.params);
    return `${left.sql} = ${right.sql}`;
  });
  const otherwise: Expr = body.defresult ? expression(body.defresult, env) : { sql: 'NULL', type: 'unknown' };
  const { exprs, type } = unify(
    [...whens.map((when) => expression(when.result!, env)), otherwise],
    env.params,
    'CASE',
  );
  const arms = tests.map((test, at) => `WHEN ${test} THEN ${exprs[at]!.sql}`);
  return { sql: `(CASE ${arms.join(' ')} ELSE ${exprs.at(-1)!.sql} END)`, type };
}

function list(engine: string, name: string, args: readonly Node[] | undefined, env: Env): Expr {
  const { exprs, type } = unify(
    (args ?? []).map((arg) => expression(arg, env)),
    env.params,
    name,
  );
  return { sql: `${engine}(${exprs.map((one) => one.sql).join(', ')})`, type };
}

function currentValue(op: string, env: Env): Expr {
  const { now, user } = env.statement;
  if (op === 'SVFOP_CURRENT_DATE') return constant(now.slice(0, 10), 'date');
  if (op.startsWith('SVFOP_CURRENT_TIMESTAMP')) return constant(now, 'timestamptz');
  if (op.startsWith('SVFOP_LOCALTIMESTAMP')) return constant(now, 'timestamp');
  if (/USER|ROLE/.test(op)) return constant(user, 'text');
  throw refused(`${op} is not served here.`, 'Use current_date or current_timestamp.');
}

function call(node: Extract<Node, { FuncCall: unknown }>, env: Env): Expr {
  const body = node.FuncCall;
  const name = names(body.funcname).at(-1) ?? '';
  const args = body.args ?? [];
  if (body.over) return window(node, name, env, expression);
  if (isAggregate(name)) return aggregate(node, name, env, expression);
  if (body.agg_distinct || body.agg_filter || body.agg_order)
    throw new SqlError('42809', `${name} is not an aggregate function`);
  switch (name) {
    case 'date_trunc':
      return dateTrunc(node, args, env, expression);
    case 'extract':
    case 'date_part':
      return extract(node, name, args, env, expression);
    case 'to_char':
      return toChar(args, env, expression);
    case 'date': {
      const cut = castToDate(node, env);
      return cut ?? cast(expression(args[0]!, env), 'date', [], env.params);
    }
    case 'to_timestamp':
    case 'to_date':
      return parsedTime(name, args);
    case 'version':
      return constant(`PostgreSQL ${SERVER_VERSION} (BAC Hub SQL API)`, 'text');
    case 'current_schema':
      return constant('public', 'text');
    case 'current_database':
      return constant(DATABASE, 'text');
    case 'now':
    case 'transaction_timestamp':
    case 'statement_timestamp':
      return constant(env.statement.now, 'timestamptz');
    default:
      if (isScalar(name))
        return scalar(
          name,
          args.map((arg) => expression(arg, env)),
          env.params,
        );
      throw new SqlError('0A000', `The function ${name} is not served over cubes and views.`, {
        hint: 'docs/sql-api.md lists the functions that are; MEASURE(name) gives a measure.',
      });
  }
}
