import { refused } from '../errors.ts';
import type { Node } from './ast.ts';

/** A sort key, with the place of nulls written out: PostgreSQL puts them last ascending, first descending. */
export function sorting(node: Node, key: (node: Node) => string): string {
  if (!('SortBy' in node)) throw refused('This ORDER BY is not served.', 'ORDER BY column DESC');
  const { sortby_dir: direction, sortby_nulls: nulls, node: value } = node.SortBy;
  if (direction === 'SORTBY_USING') throw refused('ORDER BY ... USING is not served.', 'Use ASC or DESC.');
  const descending = direction === 'SORTBY_DESC';
  const first = nulls === 'SORTBY_NULLS_FIRST' || (nulls !== 'SORTBY_NULLS_LAST' && descending);
  return `${key(value!)} ${descending ? 'DESC' : 'ASC'} NULLS ${first ? 'FIRST' : 'LAST'}`;
}

export interface OrderKey {
  readonly sort: Node;
  /** What is sorted by; null: a column of the result. */
  readonly node: Node | null;
  readonly place: number | null;
}
