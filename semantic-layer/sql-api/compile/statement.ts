import { refused, SqlError } from '../errors.ts';
import type { SqlType } from '../types.ts';
import { type Node, names } from './ast.ts';
import { unify } from './coerce.ts';
import type { Expr } from './expr.ts';
import { expression } from './expressions.ts';
import type { Governed } from './governed.ts';
import type { Model } from './relation.ts';
import { type Cte, type OutputColumn, Parameters, type Scope } from './scope.ts';
import { limitSql, type Select, type SelectContext, selectBlock } from './select.ts';
import { sorting } from './sorting.ts';

/** A statement ready to run: what to load, then what to ask the engine. */
export interface Compiled {
  readonly sql: string;
  readonly columns: readonly OutputColumn[];
  readonly loads: readonly Governed[];
  readonly params: Parameters;
  /** Expressions of the engine whose values are needed before the statement can be compiled for good. */
  readonly constants: readonly string[];
}

export interface CompileOptions {
  readonly model: Model;
  readonly types: readonly (SqlType | undefined)[];
  /** null: only to describe the statement. */
  readonly values: readonly (string | null)[] | null;
  readonly now: string;
  readonly user: string;
  /** Values of constants asked for by an earlier pass. */
  readonly known: ReadonlyMap<string, string | null>;
}

type Made = { sql: string; columns: readonly OutputColumn[] };
const EMPTY: Scope = { sources: [], outer: null, ctes: new Map(), merged: new Map() };
const DEEPEST = 60;

/** Compiles a SELECT over the model. Errors: SqlError with the state PostgreSQL would give, 0A000 where refused. */
export function compile(node: Node, options: CompileOptions): Compiled {
  const loads: Governed[] = [];
  const constants: string[] = [];
  const params = new Parameters(options.types, options.values);
  let count = 0;
  let depth = 0;
  const context: SelectContext = {
    model: options.model,
    now: options.now,
    user: options.user,
    fresh: () => {
      count += 1;
      return `t${count}`;
    },
    governed: (made) => loads.push(made),
    constant: (sql) => {
      const value = options.known.get(sql);
      if (value !== undefined) return { value };
      constants.push(sql);
      return null;
    },
    select: (select, outer) => {
      if (!('SelectStmt' in select)) throw refused('This sub-query is not served.', 'Use SELECT.');
      return context.compileSelect(select.SelectStmt, outer, outer?.ctes ?? new Map(), params);
    },
    compileSelect: (body, outer, ctes) => {
      depth += 1;
      if (depth > DEEPEST) throw new SqlError('54001', 'the statement is nested too deeply');
      const made = select(body, outer, ctes, params, context);
      depth -= 1;
      return made;
    },
  };
  if (!('SelectStmt' in node))
    throw refused('Only SELECT is served over cubes and views.', 'SELECT ... FROM ...');
  const made = context.compileSelect(node.SelectStmt, null, new Map(), params);
  return { ...made, loads, params, constants };
}

function select(
  body: Select,
  outer: Scope | null,
  around: ReadonlyMap<string, Cte>,
  params: Parameters,
  context: SelectContext,
): Made {
  const ctes = new Map(around);
  const prefix: string[] = [];
  if (body.withClause?.recursive) throw refused('WITH RECURSIVE is not served.', 'Use WITH.');
  for (const node of body.withClause?.ctes ?? []) {
    if (!('CommonTableExpr' in node)) continue;
    const { ctename = '', ctequery, aliascolnames } = node.CommonTableExpr;
    if (!ctequery || !('SelectStmt' in ctequery))
      throw refused('A CTE that writes is not served.', 'Use SELECT in WITH.');
    const made = context.compileSelect(ctequery.SelectStmt, null, ctes, params);
    const renamed = names(aliascolnames);
    const name = `w_${context.fresh()}`;
    prefix.push(`"${name}" AS (${made.sql})`);
    ctes.set(ctename, {
      sql: `"${name}"`,
      columns: made.columns.map((column, at) => ({ ...column, name: renamed[at] ?? column.name })),
    });
  }
  const made = unprefixed(body, outer, ctes, params, context);
  return prefix.length === 0 ? made : { ...made, sql: `WITH ${prefix.join(', ')} ${made.sql}` };
}

function unprefixed(
  body: Select,
  outer: Scope | null,
  ctes: ReadonlyMap<string, Cte>,
  params: Parameters,
  context: SelectContext,
): Made {
  if (body.valuesLists?.length) return values(body, outer, ctes, params, context);
  if (body.op && body.op !== 'SETOP_NONE') return setOperation(body, outer, ctes, params, context);
  return selectBlock(body, outer, ctes, params, context);
}

function values(
  body: Select,
  outer: Scope | null,
  ctes: ReadonlyMap<string, Cte>,
  params: Parameters,
  context: SelectContext,
): Made {
  const env = {
    scope: { ...EMPTY, outer, ctes },
    params,
    statement: context,
    groups: null,
    aggregates: false,
  };
  const rows = (body.valuesLists ?? []).map((row) =>
    'List' in row ? (row.List.items ?? []).map((item) => expression(item, env)) : [],
  );
  const width = rows[0]?.length ?? 0;
  if (rows.some((row) => row.length !== width))
    throw new SqlError('42601', 'VALUES lists must all be the same length');
  const columns = Array.from({ length: width }, (_, at) =>
    unify(
      rows.map((row) => row[at]!),
      params,
      'VALUES',
    ),
  );
  const text = rows
    .map(
      (_, row) => `SELECT ${columns.map((column, at) => `${column.exprs[row]!.sql} AS "c${at}"`).join(', ')}`,
    )
    .join(' UNION ALL ');
  return {
    sql: `SELECT * FROM (${text}) AS v`,
    columns: columns.map((column, at) => ({ name: `column${at + 1}`, type: column.type })),
  };
}

const OPERATIONS: Readonly<Record<string, string>> = {
  SETOP_UNION: 'UNION',
  SETOP_INTERSECT: 'INTERSECT',
  SETOP_EXCEPT: 'EXCEPT',
};

function setOperation(
  body: Select,
  outer: Scope | null,
  ctes: ReadonlyMap<string, Cte>,
  params: Parameters,
  context: SelectContext,
): Made {
  const sides = [body.larg!, body.rarg!].map((side) => context.compileSelect(side, outer, ctes, params));
  const [left, right] = [sides[0]!, sides[1]!];
  if (left.columns.length !== right.columns.length)
    throw new SqlError('42601', 'each UNION query must have the same number of columns');
  const as = (made: Made, at: number): Expr => ({ sql: `u."c${at}"`, type: made.columns[at]!.type });
  const columns = left.columns.map((_, at) => unify([as(left, at), as(right, at)], params, 'UNION'));
  const text = [left, right].map(
    (made, side) =>
      `SELECT ${columns.map((column, at) => `${column.exprs[side]!.sql} AS "c${at}"`).join(', ')} FROM (${made.sql}) AS u`,
  );
  const word = `${OPERATIONS[body.op!]}${body.all ? ' ALL' : ''}`;
  const out = left.columns.map((column, at) => ({ name: column.name, type: columns[at]!.type }));
  const env = { scope: EMPTY, params, statement: context, groups: null, aggregates: false };
  const order = (body.sortClause ?? []).map((node) => sorting(node, (key) => `"c${placeOf(key, out)}"`));
  const limits = limitSql(body, env);
  return {
    sql: [
      'SELECT * FROM (',
      text.join(` ${word} `),
      ') AS u',
      order.length > 0 ? `ORDER BY ${order.join(', ')}` : '',
      limits.sql,
    ]
      .filter((part) => part)
      .join(' '),
    columns: out,
  };
}

function placeOf(key: Node, columns: readonly OutputColumn[]): number {
  if ('A_Const' in key && key.A_Const.ival) {
    const place = key.A_Const.ival.ival ?? 0;
    if (place >= 1 && place <= columns.length) return place - 1;
  }
  const name = 'ColumnRef' in key ? names(key.ColumnRef.fields).at(-1) : undefined;
  const at = columns.findIndex((column) => column.name === name);
  if (at < 0) throw new SqlError('42P10', 'ORDER BY of a UNION takes names or places of its result');
  return at;
}
