import { nearest } from '#kernel';
import { refused, SqlError } from '../errors.ts';
import { type Node, names, unwrap } from './ast.ts';
import type { Env } from './env.ts';
import type { Expr } from './expr.ts';
import { condition } from './expressions.ts';
import { flattened, type PushAll } from './flatten.ts';
import { Governed } from './governed.ts';
import { comparable } from './operators.ts';
import type { Model } from './relation.ts';
import type { Cte, OutputColumn, Scope, Source } from './scope.ts';

/** What FROM brings: its sources first, its text once they are all known. */
export interface From {
  readonly sources: readonly Source[];
  readonly merged: ReadonlyMap<string, Expr>;
  /** No outer join: conditions of WHERE hold for each source by itself. */
  readonly inner: boolean;
  sql(env: Env): string;
}

export interface FromContext {
  readonly model: Model;
  readonly ctes: ReadonlyMap<string, Cte>;
  /** Name for the next table or sub-query. */
  fresh(): string;
  governed(made: Governed): void;
  push: PushAll;
  select(node: Node, outer: Scope | null): { sql: string; columns: readonly OutputColumn[] };
}

export function fromItems(items: readonly Node[], context: FromContext): From {
  const parts = items.map((item) => fromItem(item, context));
  const sources = parts.flatMap((part) => part.sources);
  const twice = sources.find((source, at) => sources.findIndex((one) => one.alias === source.alias) !== at);
  if (twice) throw new SqlError('42712', `table name "${twice.alias}" specified more than once`);
  return {
    sources,
    merged: new Map(parts.flatMap((part) => [...part.merged])),
    inner: parts.every((part) => part.inner),
    sql: (env) => parts.map((part) => part.sql(env)).join(' CROSS JOIN '),
  };
}

const single = (source: Source, sql: () => string): From => ({
  sources: [source],
  merged: new Map(),
  inner: true,
  sql,
});

function fromItem(item: Node, context: FromContext): From {
  if ('RangeVar' in item) return table(item.RangeVar, context);
  if ('RangeSubselect' in item) {
    const { subquery, alias, lateral } = item.RangeSubselect;
    if (lateral)
      throw refused('LATERAL is not served.', 'Join with a sub-query that has its own conditions.');
    if (subquery && 'SelectStmt' in subquery && !alias?.colnames) {
      const made = flattened(subquery.SelectStmt, context.model, context.ctes, context.fresh(), context.push);
      if (made) return ofGoverned(made, alias?.aliasname ?? '', context);
    }
    const made = context.select(subquery!, null);
    return derived(made.columns, `(${made.sql})`, alias?.aliasname ?? '', names(alias?.colnames), context);
  }
  if ('JoinExpr' in item) return join(item.JoinExpr, context);
  throw refused(
    `${unwrap(item).tag} is not served in FROM.`,
    'FROM takes cubes, views, CTEs and sub-queries.',
  );
}

function derived(
  columns: readonly OutputColumn[],
  sql: string,
  alias: string,
  renamed: readonly string[],
  context: FromContext,
): From {
  const name = context.fresh();
  const source: Source = {
    alias,
    sql: `"${name}"`,
    governed: null,
    columns: columns.map((column, at) => ({
      name: renamed[at] ?? column.name,
      type: column.type,
      sql: `"${name}"."c${at}"`,
    })),
  };
  return single(source, () => `${sql} AS "${name}"`);
}

function table(range: Extract<Node, { RangeVar: unknown }>['RangeVar'], context: FromContext): From {
  const name = range.relname ?? '';
  const alias = range.alias?.aliasname ?? name;
  const renamed = names(range.alias?.colnames);
  const cte = range.schemaname ? undefined : context.ctes.get(name);
  if (cte) return derived(cte.columns, cte.sql, alias, renamed, context);
  const relation =
    range.schemaname && range.schemaname !== 'public' ? undefined : context.model.relations.get(name);
  if (!relation) {
    const near = nearest(name, [...context.model.relations.keys(), ...context.ctes.keys()]);
    throw new SqlError(
      '42P01',
      `relation "${range.schemaname ? `${range.schemaname}.` : ''}${name}" does not exist`,
      near === null ? {} : { hint: `Did you mean "${near}"?` },
    );
  }
  if (renamed.length > 0)
    throw refused('Columns of a cube cannot be renamed in FROM.', 'SELECT column AS name in a sub-query.');
  return ofGoverned(new Governed(relation, context.fresh()), alias, context);
}

function ofGoverned(governed: Governed, alias: string, context: FromContext): From {
  context.governed(governed);
  const source: Source = { alias, sql: `"${governed.alias}"`, columns: [], governed };
  return single(source, () => `"${governed.table}" AS "${governed.alias}"`);
}

const JOINS: Readonly<Record<string, string>> = {
  JOIN_INNER: 'INNER',
  JOIN_LEFT: 'LEFT',
  JOIN_RIGHT: 'RIGHT',
  JOIN_FULL: 'FULL',
};

function join(body: Extract<Node, { JoinExpr: unknown }>['JoinExpr'], context: FromContext): From {
  const word = JOINS[body.jointype ?? ''];
  if (!word || body.isNatural || body.alias || body.join_using_alias)
    throw refused('This kind of join is not served.', 'Use JOIN ... ON or USING; LEFT, RIGHT, FULL, CROSS.');
  const [left, right] = [fromItem(body.larg!, context), fromItem(body.rarg!, context)];
  const sources = [...left.sources, ...right.sources];
  const using = names(body.usingClause);
  const pairs = using.map((name) => ({ name, left: columnIn(left, name), right: columnIn(right, name) }));
  const merged = new Map<string, Expr>([...left.merged, ...right.merged]);
  for (const pair of pairs) {
    const kept = word === 'RIGHT' ? pair.right : pair.left;
    merged.set(
      pair.name,
      word === 'FULL' ? { sql: `coalesce(${pair.left.sql}, ${pair.right.sql})`, type: pair.left.type } : kept,
    );
  }
  const on = (env: Env): string => {
    if (using.length > 0)
      return pairs
        .map((pair) =>
          comparable(pair.left, pair.right, env.params)
            .map((side) => side.sql)
            .join(' = '),
        )
        .join(' AND ');
    return condition(body.quals!, {
      ...env,
      scope: { ...env.scope, sources },
      groups: null,
      aggregates: false,
    });
  };
  return {
    sources,
    merged,
    inner: word === 'INNER' && left.inner && right.inner,
    sql: (env) => {
      const sides = [left.sql(env), right.sql(env)];
      if (using.length === 0 && !body.quals) return `(${sides.join(' CROSS JOIN ')})`;
      return `(${sides[0]} ${word} JOIN ${sides[1]} ON ${on(env)})`;
    },
  };
}

function columnIn(from: From, name: string): Expr {
  const already = from.merged.get(name);
  if (already) return already;
  const found = from.sources.flatMap((source): Expr[] => {
    const member = source.governed?.relation.members.get(name);
    if (source.governed && member) return [source.governed.column(member)];
    return source.columns.filter((column) => column.name === name);
  });
  if (found.length !== 1) throw new SqlError('42703', `column "${name}" of USING must be in both sides once`);
  return found[0]!;
}
