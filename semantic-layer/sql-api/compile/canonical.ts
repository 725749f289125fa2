import type { Node } from './ast.ts';
import { names } from './ast.ts';
import { resolve, type Scope } from './scope.ts';

const PLACES = new Set(['location', 'rexpr_list_start', 'rexpr_list_end', 'list_start', 'list_end']);

/** Text that is the same for two nodes that mean the same: without places, with columns by their table. */
export function canonical(node: Node, scope: Scope): string {
  return JSON.stringify(node, (key, value: unknown) => {
    if (PLACES.has(key)) return undefined;
    if (key === 'ColumnRef') return columnOf(value as { fields?: Node[] }, scope);
    return value;
  });
}

function columnOf(body: { fields?: Node[] }, scope: Scope): unknown {
  const path = names(body.fields);
  if (path.includes('*')) return path;
  const found = resolve(scope, path);
  return 'merged' in found
    ? ['merged', path.at(-1)]
    : [found.source.sql, found.source.alias, 'column' in found ? found.column.sql : found.member];
}
