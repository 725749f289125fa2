import type { Node } from './ast.ts';
import { names, walk } from './ast.ts';
import type { Env } from './env.ts';
import type { Governed } from './governed.ts';
import { slotName } from './governed.ts';
import type { Member } from './relation.ts';
import { resolve } from './scope.ts';
import type { Block } from './shape.ts';
import type { OrderKey } from './sorting.ts';
import { timeTerm } from './times.ts';

interface Wish {
  readonly limit: number | null;
  readonly offset: number;
  readonly order: readonly OrderKey[];
  readonly targets: readonly { readonly node: Node | null }[];
  readonly distinct: boolean;
  readonly grouped: boolean;
  readonly block: Block;
  readonly env: Env;
}

const hasWindows = (nodes: readonly Node[]): boolean => {
  let found = false;
  walk(nodes, (tag, body) => {
    if (tag === 'FuncCall' && body.over) found = true;
    return !found;
  });
  return found;
};

/**
 * Lets the warehouse cut the rows where that leaves exactly the rows the statement would: no more
 * conditions, no windows, one row of the result for one loaded, and the same order, nulls included.
 */
export function pushLimit(governed: Governed, wish: Wish): void {
  const { limit, offset, block } = wish;
  if (limit === null || hasWindows([...block.targets, ...block.order])) return;
  const { shape } = governed;
  if (wish.grouped && (shape.mode !== 'grouped' || !shape.direct || block.groups.length === 0)) return;
  if (!wish.grouped && wish.distinct) return;
  const order: [string, 'asc' | 'desc'][] = [];
  for (const key of wish.order) {
    const one = orderOf(key, governed, wish.env);
    if (!one) return;
    order.push(one);
  }
  // LIMIT 0, as tools probe for columns with, is left to the engine: questions take at least one row.
  governed.limit = Math.max(limit + offset, 1);
  governed.order = order;
}

function orderOf(key: OrderKey, governed: Governed, env: Env): [string, 'asc' | 'desc'] | null {
  if (!('SortBy' in key.sort) || !key.node) return null;
  const { sortby_dir: direction, sortby_nulls: nulls } = key.sort.SortBy;
  const descending = direction === 'SORTBY_DESC';
  const member = memberOf(key.node, governed, env);
  if (!member) return null;
  const last = nulls === 'SORTBY_NULLS_LAST' || (!descending && nulls !== 'SORTBY_NULLS_FIRST');
  // The warehouse puts nulls last both ways.
  if (!last && member.aggregate !== 'count') return null;
  return [member.name, descending ? 'desc' : 'asc'];
}

function memberOf(node: Node, governed: Governed, env: Env): Member | null {
  if ('FuncCall' in node && names(node.FuncCall.funcname).at(-1) !== 'date_trunc') {
    const { args = [], agg_star: star, agg_filter: filter } = node.FuncCall;
    if (filter) return null;
    if (star) return governed.relation.count;
    const inner = args.length === 1 ? memberOf(args[0]!, governed, env) : null;
    return inner?.kind === 'measure' && governed.shape.mode === 'grouped' ? inner : null;
  }
  const term = timeTerm(node, env);
  if (term?.whole)
    return governed.slots.some((slot) => slotName(slot) === `${term.member.name}.${term.granularity}`)
      ? term.member
      : null;
  if (!('ColumnRef' in node)) return null;
  const found = resolve(env.scope, names(node.ColumnRef.fields));
  if (!('member' in found) || found.source.governed !== governed) return null;
  const member = governed.relation.members.get(found.member);
  return member && (member.kind === 'dimension' || governed.shape.mode === 'grouped') ? member : null;
}
