import { type Node, names } from './ast.ts';
import { Governed } from './governed.ts';
import type { Member, Model, Relation } from './relation.ts';
import type { Cte, Scope, Source } from './scope.ts';

type Select = Extract<Node, { SelectStmt: unknown }>['SelectStmt'];

/** Pushes the conditions of a scope's WHERE; false: not all of them can be. */
export type PushAll = (where: Node, scope: Scope) => boolean;

/**
 * A sub-query that only picks and renames columns of one cube or view, as BI tools wrap tables, is that
 * cube or view under other names: its measures are then still measures outside. Null: it is more than that.
 */
export function flattened(
  body: Select,
  model: Model,
  ctes: ReadonlyMap<string, Cte>,
  table: string,
  push: PushAll,
): Governed | null {
  const plain = new Set(['targetList', 'fromClause', 'whereClause', 'limitOption', 'op']);
  if (Object.keys(body).some((key) => !plain.has(key)) || body.op !== 'SETOP_NONE') return null;
  const inner = sourceOf(body.fromClause ?? [], model, ctes, table, push);
  if (!inner) return null;
  const members = new Map<string, Member>();
  for (const target of body.targetList ?? []) {
    const picked = picks(target, inner.relation, inner.alias);
    if (!picked) return null;
    for (const [name, member] of picked) {
      if (members.has(name)) return null;
      members.set(name, { ...member, column: name });
    }
  }
  const relation: Relation = { ...inner.relation, members, segments: new Map() };
  const governed = new Governed(relation, table);
  governed.filters.push(...inner.filters);
  governed.segments.push(...inner.segments);
  if (!body.whereClause) return governed;
  const tested = new Governed(inner.relation, table);
  const source: Source = { alias: inner.alias, sql: `"${tested.alias}"`, columns: [], governed: tested };
  if (!push(body.whereClause, { sources: [source], outer: null, ctes, merged: new Map() })) return null;
  governed.filters.push(...tested.filters);
  governed.segments.push(...tested.segments);
  return governed;
}

interface Inner {
  readonly relation: Relation;
  readonly alias: string;
  readonly filters: readonly unknown[];
  readonly segments: readonly string[];
}

function sourceOf(
  from: readonly Node[],
  model: Model,
  ctes: ReadonlyMap<string, Cte>,
  table: string,
  push: PushAll,
): Inner | null {
  const [item, ...more] = from;
  if (!item || more.length > 0) return null;
  if ('RangeVar' in item) {
    const { relname = '', schemaname, alias } = item.RangeVar;
    if ((!schemaname && ctes.has(relname)) || (schemaname && schemaname !== 'public') || alias?.colnames)
      return null;
    const relation = model.relations.get(relname);
    return relation ? { relation, alias: alias?.aliasname ?? relname, filters: [], segments: [] } : null;
  }
  if (!('RangeSubselect' in item) || item.RangeSubselect.lateral || item.RangeSubselect.alias?.colnames)
    return null;
  const { subquery, alias } = item.RangeSubselect;
  if (!subquery || !('SelectStmt' in subquery)) return null;
  const made = flattened(subquery.SelectStmt, model, ctes, table, push);
  return (
    made && {
      relation: made.relation,
      alias: alias?.aliasname ?? '',
      filters: made.filters,
      segments: made.segments,
    }
  );
}

function picks(target: Node, relation: Relation, alias: string): [string, Member][] | null {
  if (!('ResTarget' in target) || !target.ResTarget.val || !('ColumnRef' in target.ResTarget.val))
    return null;
  const { fields = [] } = target.ResTarget.val.ColumnRef;
  const path = names(fields);
  if (path.length > 1 && path.at(-2) !== alias) return null;
  if (fields.some((field) => 'A_Star' in field)) return [...relation.members];
  const member = relation.members.get(path.at(-1)!);
  return member ? [[target.ResTarget.name ?? path.at(-1)!, member]] : null;
}
