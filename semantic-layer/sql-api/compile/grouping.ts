import { refused, SqlError } from '../errors.ts';
import { type Node, names } from './ast.ts';
import type { Env } from './env.ts';
import { expression } from './expressions.ts';
import { resolve, type Scope } from './scope.ts';

type Set = Extract<Node, { GroupingSet: unknown }>['GroupingSet'];

export interface Named {
  /** What is grouped by, places and names of the result replaced by what they stand for. */
  readonly keys: readonly Node[];
  readonly sets: boolean;
  key(node: Node): Node;
}

interface Target {
  readonly node: Node | null;
  readonly name: string;
}

/** GROUP BY takes a place, a column, a name of the result, or an expression, in this order. */
export function groupNodes(nodes: readonly Node[], targets: readonly Target[], scope: Scope): Named {
  const key = (node: Node): Node => {
    if ('A_Const' in node && node.A_Const.ival) {
      const place = node.A_Const.ival.ival ?? 0;
      const target = targets[place - 1]?.node;
      if (!target) throw new SqlError('42P10', `GROUP BY position ${place} is not in select list`);
      return target;
    }
    if (!('ColumnRef' in node) || node.ColumnRef.fields?.length !== 1) return node;
    const name = names(node.ColumnRef.fields)[0]!;
    const target = targets.find((one) => one.name === name)?.node;
    if (!target) return node;
    return isColumn(name, scope) ? node : target;
  };
  const keys: Node[] = [];
  let sets = false;
  const collect = (list: readonly Node[]): void => {
    for (const node of list) {
      if ('GroupingSet' in node) {
        sets = true;
        collect(node.GroupingSet.content ?? []);
      } else if ('RowExpr' in node) collect(node.RowExpr.args ?? []);
      else keys.push(key(node));
    }
  };
  collect(nodes);
  return { keys, sets, key };
}

function isColumn(name: string, scope: Scope): boolean {
  try {
    resolve({ ...scope, outer: null }, [name]);
    return true;
  } catch (error) {
    if (error instanceof SqlError && error.sqlstate === '42703') return false;
    throw error;
  }
}

const KINDS: Readonly<Record<string, string>> = {
  GROUPING_SET_ROLLUP: 'ROLLUP ',
  GROUPING_SET_CUBE: 'CUBE ',
  GROUPING_SET_SETS: 'GROUPING SETS ',
  GROUPING_SET_EMPTY: '',
};

export function groupBy(nodes: readonly Node[], named: Named, env: Env): string {
  const one = (node: Node): string => {
    if ('GroupingSet' in node) return setOf(node.GroupingSet);
    if ('RowExpr' in node) return `(${(node.RowExpr.args ?? []).map(one).join(', ')})`;
    const value = expression(named.key(node), env);
    return value.literal === undefined ? value.sql : `(${value.sql})`;
  };
  const setOf = (set: Set): string => {
    const word = KINDS[set.kind ?? ''];
    if (word === undefined)
      throw refused('This GROUPING SET is not served.', 'Use ROLLUP, CUBE or GROUPING SETS.');
    return `${word}(${(set.content ?? []).map(one).join(', ')})`;
  };
  return nodes.map(one).join(', ');
}
