import { type Node, names } from './ast.ts';
import { step, truncated } from './calendar.ts';
import { implicit, isNumber, isTime } from './coerce.ts';
import type { Compile, Env } from './env.ts';
import type { Expr } from './expr.ts';
import type { Governed } from './governed.ts';
import type { Member } from './relation.ts';
import { resolve, type Scope } from './scope.ts';
import { type TimeTerm, timeTerm } from './times.ts';

/** A condition in Cube's filter format. */
type Filter = Readonly<Record<string, unknown>>;

export interface Pushed {
  readonly governed: Governed;
  readonly filter: Filter | null;
  readonly segment?: string;
}

const FLIPPED: Readonly<Record<string, string>> = {
  '=': '=',
  '<>': '<>',
  '!=': '<>',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
};
const NUMERIC: Readonly<Record<string, string>> = { '<': 'lt', '<=': 'lte', '>': 'gt', '>=': 'gte' };
const MOMENTS: Readonly<Record<string, string>> = {
  '<': 'beforeDate',
  '<=': 'beforeOrOnDate',
  '>': 'afterDate',
  '>=': 'afterOrOnDate',
};

const filterOf = (member: Member, operator: string, values?: readonly string[]): Filter => ({
  member: member.name,
  operator,
  ...(values === undefined ? {} : { values }),
});

/** The dimension of a cube that a node names; segments and measures are none. */
function dimensionOf(node: Node | undefined, env: Env): { governed: Governed; member: Member } | null {
  if (!node || !('ColumnRef' in node)) return null;
  const found = resolve(env.scope, names(node.ColumnRef.fields));
  if (!('member' in found) || !env.scope.sources.includes(found.source)) return null;
  const member = found.source.governed!.relation.members.get(found.member);
  return member?.kind === 'dimension' ? { governed: found.source.governed!, member } : null;
}

const EMPTY: Scope = { sources: [], outer: null, ctes: new Map(), merged: new Map() };

/** Value of a constant of a type as text; undefined: no constant, null: NULL. */
function constantOf(
  node: Node | undefined,
  member: Member,
  env: Env,
  compile: Compile,
): string | null | undefined {
  if (!node || mentionsRows(node)) return undefined;
  const value = compile(node, { ...env, scope: EMPTY, groups: null, aggregates: false });
  const typed = implicit(value, comparedAs(value, member), env.params);
  if (!typed) return undefined;
  if (typed.literal !== undefined) return typed.literal;
  if (value.param !== undefined && env.params.values === null) return '0';
  const known = env.statement.constant(`CAST(${typed.sql} AS VARCHAR)`);
  return known === null ? '0' : known.value;
}

const comparedAs = (value: Expr, member: Member): Member['type'] =>
  isNumber(member.type) && isNumber(value.type)
    ? value.type
    : isTime(member.type) && value.type === 'timestamptz'
      ? 'timestamptz'
      : member.type;

const ROWS = new Set(['ColumnRef', 'SubLink', 'A_ArrayExpr']);
const mentionsRows = (node: Node): boolean =>
  Object.keys(node).some((tag) => ROWS.has(tag)) || /"(ColumnRef|SubLink|over)":/.test(JSON.stringify(node));

/** A number that a double holds exactly as it is written. */
const plainNumber = (text: string): string | null => {
  const digits = text.replace(/^-/, '').replace('.', '').replace(/^0+/, '');
  return /^-?\d+(\.\d+)?$/.test(text) && digits.length <= 15 ? text : null;
};

/** Moments the warehouse compares exactly: whole seconds between 1971 and 2100. */
function plainMoment(text: string): string | null {
  const found = /^(\d{4})-(\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(?:\.0+)?$/.exec(
    text.length === 10 ? `${text} 00:00:00` : text,
  );
  return found && Number(found[1]) > 1970 && Number(found[1]) < 2100
    ? `${found[1]}-${found[2]}T${found[3]}.000`
    : null;
}

/** A condition that the semantic layer decides exactly as PostgreSQL would; null: the engine has to. */
export function pushable(node: Node, env: Env, compile: Compile): Pushed | null {
  if ('BoolExpr' in node) return ofBoolean(node.BoolExpr, env, compile);
  if ('NullTest' in node) {
    const found = dimensionOf(node.NullTest.arg, env);
    return (
      found && {
        governed: found.governed,
        filter: filterOf(found.member, node.NullTest.nulltesttype === 'IS_NULL' ? 'notSet' : 'set'),
      }
    );
  }
  if ('ColumnRef' in node) {
    const found = dimensionOf(node, env);
    if (found)
      return found.member.type === 'bool'
        ? { governed: found.governed, filter: filterOf(found.member, 'equals', ['true']) }
        : null;
    return segmentOf(node, env);
  }
  if (!('A_Expr' in node)) return null;
  const { kind, lexpr, rexpr } = node.A_Expr;
  const name = names(node.A_Expr.name).at(-1) ?? '';
  const items = rexpr && 'List' in rexpr ? (rexpr.List.items ?? []) : [];
  if (kind === 'AEXPR_OP')
    return (
      comparison(name, lexpr, rexpr, env, compile) ??
      comparison(FLIPPED[name] ?? '', rexpr, lexpr, env, compile)
    );
  if (kind === 'AEXPR_IN') return oneOf(lexpr, items, name === '<>', env, compile);
  if (kind === 'AEXPR_OP_ANY' && name === '=' && rexpr && 'A_ArrayExpr' in rexpr)
    return oneOf(lexpr, rexpr.A_ArrayExpr.elements ?? [], false, env, compile);
  if (kind === 'AEXPR_BETWEEN') {
    const [low, high] = [
      comparison('>=', lexpr, items[0], env, compile),
      comparison('<=', lexpr, items[1], env, compile),
    ];
    return low && high && { governed: low.governed, filter: { and: [low.filter, high.filter] } };
  }
  if (kind === 'AEXPR_ILIKE' && !name.startsWith('!')) return ofPattern(lexpr, rexpr, env, compile);
  return null;
}

function segmentOf(node: Node, env: Env): Pushed | null {
  if (!('ColumnRef' in node)) return null;
  const found = resolve(env.scope, names(node.ColumnRef.fields));
  const governed =
    'member' in found && env.scope.sources.includes(found.source) ? found.source.governed : null;
  const segment = governed && 'member' in found ? governed.relation.segments.get(found.member) : undefined;
  return governed && segment !== undefined ? { governed, filter: null, segment } : null;
}

function ofBoolean(
  body: Extract<Node, { BoolExpr: unknown }>['BoolExpr'],
  env: Env,
  compile: Compile,
): Pushed | null {
  const args = body.args ?? [];
  if (body.boolop === 'NOT_EXPR') {
    const found = dimensionOf(args[0], env);
    return found?.member.type === 'bool'
      ? { governed: found.governed, filter: filterOf(found.member, 'equals', ['false']) }
      : null;
  }
  const parts = args.map((arg) => pushable(arg, env, compile));
  const first = parts[0];
  if (!first || parts.some((part) => !part?.filter || part.governed !== first.governed)) return null;
  return {
    governed: first.governed,
    filter: { [body.boolop === 'OR_EXPR' ? 'or' : 'and']: parts.map((part) => part!.filter) },
  };
}

function comparison(
  operator: string,
  left: Node | undefined,
  right: Node | undefined,
  env: Env,
  compile: Compile,
): Pushed | null {
  const sign = operator === '!=' ? '<>' : operator;
  if (!Object.hasOwn(FLIPPED, sign)) return null;
  const found = dimensionOf(left, env);
  const term = found || !left || !hasTime(left, env) ? null : timeTerm(left, env);
  const member = found?.member ?? (term?.whole ? term.member : undefined);
  const governed = found?.governed ?? term?.governed;
  if (!member || !governed || !env.scope.sources.some((source) => source.governed === governed)) return null;
  const value = constantOf(right, member, env, compile);
  if (value === undefined) return null;
  if (value === null) return null;
  const filter = term ? ofTerm(sign, term, value) : ofMember(sign, member, value);
  return filter && { governed, filter };
}

const hasTime = (node: Node, env: Env): boolean => {
  if (!('TypeCast' in node || 'FuncCall' in node)) return false;
  return mentionsRows(node) && env.scope.sources.length > 0;
};

/** Cube's negations let nulls through; SQL's do not. */
const butNotNull = (member: Member, filter: Filter): Filter => ({ and: [filter, filterOf(member, 'set')] });

function ofMember(sign: string, member: Member, value: string): Filter | null {
  if (isTime(member.type)) {
    const moment = plainMoment(value);
    if (moment === null && value !== '0') return null;
    if (sign === '=')
      return { and: ['>=', '<='].map((one) => filterOf(member, MOMENTS[one]!, [moment ?? value])) };
    if (sign === '<>')
      return { or: ['<', '>'].map((one) => filterOf(member, MOMENTS[one]!, [moment ?? value])) };
    return filterOf(member, MOMENTS[sign]!, [moment ?? value]);
  }
  const given = isNumber(member.type) ? plainNumber(value) : value;
  if (given === null) return null;
  if (sign === '=') return filterOf(member, 'equals', [given]);
  if (sign === '<>') return butNotNull(member, filterOf(member, 'notEquals', [given]));
  return isNumber(member.type) ? filterOf(member, NUMERIC[sign]!, [given]) : null;
}

/** A comparison of a cut time is one of the time itself with the edges of the cut. */
function ofTerm(sign: string, { member, granularity }: TimeTerm, value: string): Filter | null {
  const moment = plainMoment(value);
  if (moment === null) return value === '0' ? filterOf(member, 'set') : null;
  const floor = truncated(moment, granularity);
  const next = step(floor, granularity);
  const whole = floor === moment;
  const from = (at: string): Filter => filterOf(member, 'afterOrOnDate', [at]);
  const before = (at: string): Filter => filterOf(member, 'beforeDate', [at]);
  if (plainMoment(next.replace('T', ' ')) === null) return null;
  switch (sign) {
    case '>=':
      return from(whole ? floor : next);
    case '>':
      return from(next);
    case '<':
      return before(whole ? floor : next);
    case '<=':
      return before(next);
    case '=':
      return whole ? { and: [from(floor), before(next)] } : null;
    default:
      return whole ? { or: [before(floor), from(next)] } : null;
  }
}

function oneOf(
  left: Node | undefined,
  items: readonly Node[],
  not: boolean,
  env: Env,
  compile: Compile,
): Pushed | null {
  const found = dimensionOf(left, env);
  if (!found || isTime(found.member.type) || found.member.type === 'bool') return null;
  const values: string[] = [];
  for (const item of items) {
    const value = constantOf(item, found.member, env, compile);
    const given = typeof value === 'string' && isNumber(found.member.type) ? plainNumber(value) : value;
    if (typeof given !== 'string') return null;
    values.push(given);
  }
  if (values.length === 0) return null;
  const filter = filterOf(found.member, not ? 'notEquals' : 'equals', values);
  return { governed: found.governed, filter: not ? butNotNull(found.member, filter) : filter };
}

/** ILIKE with nothing but % at the ends; other patterns, and letters beyond ASCII, are the engine's. */
function ofPattern(
  left: Node | undefined,
  right: Node | undefined,
  env: Env,
  compile: Compile,
): Pushed | null {
  const found = dimensionOf(left, env);
  if (found?.member.type !== 'text') return null;
  const pattern = constantOf(right, found.member, env, compile);
  const parts = typeof pattern === 'string' ? /^(%?)([ -$&-[\]^`-~]+)(%?)$/.exec(pattern) : null;
  if (!parts || (parts[1] === '' && parts[3] === '')) return null;
  const operator = parts[1] === '' ? 'startsWith' : parts[3] === '' ? 'endsWith' : 'contains';
  return { governed: found.governed, filter: filterOf(found.member, operator, [parts[2]!]) };
}
