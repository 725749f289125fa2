import { refused, SqlError } from '../errors.ts';
import { ENGINE_TYPES, type SqlType, TYPE_NAMES } from '../types.ts';
import { type Node, names } from './ast.ts';
import { implicit, isInteger, isNumber, settle, textOf } from './coerce.ts';
import { type Compile, type Env, withoutGroups } from './env.ts';
import type { Expr } from './expr.ts';
import type { Governed } from './governed.ts';
import type { Member } from './relation.ts';
import { type Parameters, resolve } from './scope.ts';
import { sorting } from './sorting.ts';

type Call = Extract<Node, { FuncCall: unknown }>;

/** Aggregates whose result does not change when a value is there more than once. */
export const INSENSITIVE = new Set(['min', 'max', 'bool_and', 'bool_or', 'every']);
/** Aggregates that can be taken over groups when the number of rows of each is known. */
export const WEIGHTED = new Set(['count', 'sum', 'avg']);
const SPREAD = new Set(['stddev', 'stddev_samp', 'stddev_pop', 'variance', 'var_samp', 'var_pop']);
const ORDERED = new Set(['percentile_cont', 'percentile_disc']);

export const isAggregate = (name: string): boolean =>
  name === 'measure' ||
  name === 'string_agg' ||
  INSENSITIVE.has(name) ||
  WEIGHTED.has(name) ||
  SPREAD.has(name) ||
  ORDERED.has(name);

/** The aggregate as Cube has it -> what SQL may call it. */
const MATCHING: Readonly<Record<string, readonly string[]>> = {
  sum: ['sum'],
  count: ['sum', 'count'],
  min: ['min'],
  max: ['max'],
  avg: ['avg'],
  countDistinct: ['count distinct'],
};

/** The measure an aggregate is about; null: it is about plain columns. Errors: 42809, 0A000 with what to write. */
export function measureOf(call: Call, env: Env): { governed: Governed; member: Member } | null {
  const { funcname, args = [], agg_distinct: distinct } = call.FuncCall;
  const name = names(funcname).at(-1) ?? '';
  const found =
    args.length === 1 && 'ColumnRef' in args[0]! ? resolve(env.scope, names(args[0].ColumnRef.fields)) : null;
  const governed =
    found && 'member' in found && env.scope.sources.includes(found.source) ? found.source.governed : null;
  const member = found && 'member' in found ? governed?.relation.members.get(found.member) : undefined;
  if (!governed || member?.kind !== 'measure') {
    if (name === 'measure')
      throw new SqlError('42809', 'MEASURE() takes a measure of a cube or view in FROM', {
        hint: 'SELECT dimension, MEASURE(measure) FROM cube GROUP BY dimension; to aggregate sub-queries use SUM, MIN, MAX, AVG, COUNT.',
      });
    return null;
  }
  const called = distinct ? `${name} distinct` : name;
  if (name === 'measure' || MATCHING[member.aggregate ?? '']?.includes(called)) return { governed, member };
  throw refused(
    `${name.toUpperCase()}(${distinct ? 'DISTINCT ' : ''}${member.column}) is not what the measure "${member.column}" is (${member.aggregate}).`,
    `Write MEASURE(${member.column}).`,
  );
}

const asBigint = (sql: string): string => `CAST(coalesce(${sql}, 0) AS BIGINT)`;

/** An aggregate of the SELECT's rows, from whatever is loaded. */
export function aggregate(call: Call, name: string, env: Env, compile: Compile): Expr {
  if (!env.aggregates)
    throw new SqlError('42803', `aggregate functions (${name}) are not allowed here`, {
      hint: 'Conditions on aggregates belong into HAVING.',
    });
  const inner = withoutGroups(env);
  const body = call.FuncCall;
  const filter = body.agg_filter ? ` FILTER (WHERE ${compile(body.agg_filter, inner).sql})` : '';
  const measure = measureOf(call, env);
  if (measure) return ofMeasure(measure, name, filter, env);
  const only = env.scope.sources.length === 1 ? env.scope.sources[0]!.governed : null;
  if (only?.shape.mode === 'grouped') {
    const weighted = ofGroups(call, name, only, filter, inner, compile);
    if (weighted) return weighted;
  }
  return ofRows(call, name, filter, inner, compile);
}

function ofMeasure(
  { governed, member }: { governed: Governed; member: Member },
  name: string,
  filter: string,
  env: Env,
): Expr {
  const { shape } = governed;
  const ref = (): string => governed.slot({ member, granularity: null });
  if (shape.mode === 'grouped' && shape.direct) {
    const value = `any_value(${ref()})`;
    const { count } = governed.relation;
    const overall = env.groups?.canonical.size === 0;
    // Over no row at all the warehouse says 0 where PostgreSQL says NULL.
    if (overall && name !== 'measure' && member.aggregate !== 'count' && member.type !== 'int8' && count)
      return {
        sql: `(CASE WHEN coalesce(any_value(${governed.slot({ member: count, granularity: null })}), 0) > 0 THEN ${value} END)`,
        type: member.type,
      };
    return { sql: value, type: member.type };
  }
  if (shape.mode === 'grouped') {
    const total = `${member.additive ?? 'sum'}(${ref()})${filter}`;
    return { sql: member.aggregate === 'count' ? asBigint(total) : total, type: member.type };
  }
  if (env.scope.sources.length > 1 && name === 'measure')
    throw refused(
      'MEASURE() cannot be taken over joined rows.',
      `Aggregate first: SELECT ... FROM (SELECT dimension, MEASURE(${member.column}) AS ${member.column} FROM ${governed.relation.name} GROUP BY dimension) AS a JOIN ...`,
    );
  const value = governed.column(member).sql;
  if (member.aggregate === 'count') return { sql: asBigint(`sum(${value})${filter}`), type: 'int8' };
  if (member.aggregate === 'countDistinct') return { sql: `count(DISTINCT ${value})${filter}`, type: 'int8' };
  return { sql: `${member.aggregate}(${value})${filter}`, type: member.type };
}

/** COUNT, SUM and AVG of dimensions over groups that know how many rows they stand for. */
function ofGroups(
  call: Call,
  name: string,
  governed: Governed,
  filter: string,
  env: Env,
  compile: Compile,
): Expr | null {
  const { agg_star: star, agg_distinct: distinct, args = [] } = call.FuncCall;
  if (distinct || !WEIGHTED.has(name)) return null;
  const count = governed.relation.count!;
  const weight = governed.slot({ member: count, granularity: null });
  if (star) return { sql: asBigint(`sum(${weight})${filter}`), type: 'int8' };
  const value = settle(compile(args[0]!, env), name === 'count' ? 'text' : 'numeric', env.params);
  const present = `CASE WHEN ${value.sql} IS NOT NULL THEN ${weight} END`;
  if (name === 'count') return { sql: asBigint(`sum(${present})${filter}`), type: 'int8' };
  if (!isNumber(value.type)) throw wrongArgument(name, [value]);
  const total = `sum(${value.sql} * ${weight})${filter}`;
  if (name === 'sum') return { sql: total, type: sumType(value.type) };
  return {
    sql: `(${total} / sum(${present})${filter})`,
    type: value.type === 'float8' ? 'float8' : 'numeric',
  };
}

const sumType = (type: SqlType): SqlType => (type === 'int4' ? 'int8' : type === 'int8' ? 'numeric' : type);

const wrongArgument = (name: string, args: readonly Expr[]): SqlError =>
  new SqlError(
    '42883',
    `function ${name}(${args.map((arg) => TYPE_NAMES[arg.type]).join(', ')}) does not exist`,
    {
      hint: 'No function matches the given name and argument types; add a cast.',
    },
  );

function ofRows(call: Call, name: string, filter: string, env: Env, compile: Compile): Expr {
  const { agg_star: star, agg_distinct: distinct, agg_order: order = [], args = [] } = call.FuncCall;
  if (ORDERED.has(name)) return percentile(call, name, filter, env, compile);
  const values = args.map((arg) => compile(arg, env));
  const plain = plainAggregate(name, values, star === true, env.params);
  if (!distinct && order.length === 0) return { sql: `${plain.sql}${filter}`, type: plain.type };
  const sorted = order.map((one) => sorting(one, (key) => compile(key, env).sql));
  const open = plain.sql.indexOf('(');
  const sql = `${plain.sql.slice(0, open + 1)}${distinct ? 'DISTINCT ' : ''}${plain.sql.slice(open + 1, -1)}${sorted.length > 0 ? ` ORDER BY ${sorted.join(', ')}` : ''})${filter}`;
  return { sql, type: plain.type };
}

/** `name(args)` over rows, with PostgreSQL's type of the result. Errors: 42883. */
export function plainAggregate(name: string, args: readonly Expr[], star: boolean, params: Parameters): Expr {
  if (star) {
    if (name !== 'count') throw new SqlError('42883', `function ${name}(*) does not exist`);
    return { sql: 'count(*)', type: 'int8' };
  }
  const first =
    args[0] &&
    settle(args[0], name === 'count' || name === 'min' || name === 'max' ? 'text' : 'numeric', params);
  if (!first) throw new SqlError('42883', `function ${name}() does not exist`);
  if (name === 'string_agg') {
    const separator = args[1] && implicit(args[1], 'text', params);
    if (!separator) throw wrongArgument(name, args);
    return { sql: `string_agg(${textOf(first)}, ${separator.sql})`, type: 'text' };
  }
  if (args.length !== 1 || !isAggregate(name) || name === 'measure') throw wrongArgument(name, args);
  if (name === 'count') return { sql: `count(${first.sql})`, type: 'int8' };
  if (name === 'min' || name === 'max') {
    if (first.type === 'bool') throw wrongArgument(name, args);
    return { sql: `${name}(${first.sql})`, type: first.type };
  }
  if (name.startsWith('bool_') || name === 'every') {
    if (first.type !== 'bool') throw wrongArgument(name, args);
    return { sql: `${name === 'every' ? 'bool_and' : name}(${first.sql})`, type: 'bool' };
  }
  if (!isNumber(first.type)) throw wrongArgument(name, args);
  if (name === 'sum') {
    const value = isInteger(first.type) ? `CAST(${first.sql} AS DECIMAL(38, 0))` : first.sql;
    return { sql: `sum(${value})`, type: sumType(first.type) };
  }
  return { sql: `${name}(${first.sql})`, type: first.type === 'float8' ? 'float8' : 'numeric' };
}

function percentile(call: Call, name: string, filter: string, env: Env, compile: Compile): Expr {
  const { args = [], agg_order: order = [] } = call.FuncCall;
  const fraction = args[0] && implicit(compile(args[0], env), 'float8', env.params);
  if (order.length !== 1 || !fraction)
    throw new SqlError('42883', `${name} needs WITHIN GROUP (ORDER BY ...)`);
  let type: SqlType = 'float8';
  const key = sorting(order[0]!, (node) => {
    const value = compile(node, env);
    if (name === 'percentile_disc') {
      type = value.type;
      return value.sql;
    }
    if (!isNumber(value.type)) throw wrongArgument(name, [value]);
    return `CAST(${value.sql} AS ${ENGINE_TYPES.float8})`;
  }).replace(/ NULLS (FIRST|LAST)$/, '');
  return { sql: `${name}(${fraction.sql}) WITHIN GROUP (ORDER BY ${key})${filter}`, type };
}
