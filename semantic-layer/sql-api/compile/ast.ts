import { hasSqlDetails, loadModule, type Node, parseSync } from 'libpg-query';
import { SqlError } from '../errors.ts';

export type { Node };

export interface Statement {
  readonly node: Node;
  /** Its own text, as the client sent it. */
  readonly sql: string;
}

/** The tag of a node and its content. */
export function unwrap(node: Node): { tag: string; body: Record<string, unknown> } {
  const [entry] = Object.entries(node);
  return { tag: entry![0], body: entry![1] as Record<string, unknown> };
}

/** Statements of a text, parsed by PostgreSQL's grammar. Errors: 42601 with the position. */
export async function parse(sql: string): Promise<Statement[]> {
  await loadModule();
  const bytes = Buffer.from(sql, 'utf8');
  try {
    return (parseSync(sql).stmts ?? []).flatMap(({ stmt, stmt_location: start = 0, stmt_len: length }) =>
      stmt === undefined
        ? []
        : [
            {
              node: stmt,
              sql: bytes.toString('utf8', start, length ? start + length : bytes.length).trim(),
            },
          ],
    );
  } catch (error) {
    const at = hasSqlDetails(error) ? error.sqlDetails?.cursorPosition : undefined;
    const message = error instanceof Error ? error.message : 'syntax error';
    throw new SqlError('42601', message, at === undefined ? {} : { position: at + 1 });
  }
}

/** Calls `visit` for a node and everything below it; false stops the descent there. */
export function walk(value: unknown, visit: (tag: string, body: Record<string, unknown>) => boolean): void {
  if (Array.isArray(value)) {
    for (const one of value) walk(one, visit);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [key, below] of Object.entries(value)) {
    if (typeof below !== 'object' || below === null) continue;
    if (/^[A-Z]/.test(key) && !Array.isArray(below)) {
      if (visit(key, below as Record<string, unknown>)) walk(below, visit);
    } else walk(below, visit);
  }
}

/** Text of a list of String nodes: a qualified name. */
export const names = (list: readonly Node[] | undefined): string[] =>
  (list ?? []).map((node) => ('String' in node ? (node.String.sval ?? '') : '*'));

/** Name of a function, without pg_catalog. */
export const functionName = (list: readonly Node[] | undefined): string => names(list).at(-1) ?? '';

/** Text of a constant string; null for anything else. */
export const stringOf = (node: Node | undefined): string | null =>
  node && 'A_Const' in node && node.A_Const.sval ? (node.A_Const.sval.sval ?? '') : null;
