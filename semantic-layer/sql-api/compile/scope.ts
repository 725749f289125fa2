import { nearest } from '#kernel';
import { SqlError } from '../errors.ts';
import type { SqlType } from '../types.ts';
import type { Expr } from './expr.ts';
import type { Governed } from './governed.ts';

export interface SourceColumn {
  readonly name: string;
  readonly type: SqlType;
  readonly sql: string;
}

/** Something in FROM: a sub-query, a CTE, or a cube or view (`governed`). */
export interface Source {
  readonly alias: string;
  /** What the engine calls it. */
  readonly sql: string;
  readonly columns: readonly SourceColumn[];
  readonly governed: Governed | null;
}

export interface OutputColumn {
  readonly name: string;
  readonly type: SqlType;
}

export interface Cte {
  readonly sql: string;
  readonly columns: readonly OutputColumn[];
}

/** Names an expression can use, the innermost SELECT first. */
export interface Scope {
  readonly sources: readonly Source[];
  readonly outer: Scope | null;
  readonly ctes: ReadonlyMap<string, Cte>;
  /** Columns that JOIN ... USING has made one of. */
  readonly merged: ReadonlyMap<string, Expr>;
}

export type Found =
  | { readonly source: Source; readonly column: SourceColumn }
  | { readonly source: Source; readonly member: string }
  | { readonly merged: Expr };

const inSource = (source: Source, name: string): Found[] => {
  if (source.governed)
    return source.governed.relation.members.has(name) || source.governed.relation.segments.has(name)
      ? [{ source, member: name }]
      : [];
  return source.columns.filter((column) => column.name === name).map((column) => ({ source, column }));
};

/** What a name stands for. Errors: 42703 unknown (with the nearest), 42702 ambiguous, 42P01 unknown table. */
export function resolve(scope: Scope, path: readonly string[]): Found {
  const name = path.at(-1)!;
  const table = path.length > 1 ? path.at(-2)! : null;
  for (let at: Scope | null = scope; at; at = at.outer) {
    const merged = table === null ? at.merged.get(name) : undefined;
    if (merged) return { merged };
    const sources = table === null ? at.sources : at.sources.filter((source) => source.alias === table);
    const found = sources.flatMap((source) => inSource(source, name));
    if (found.length > 1) throw new SqlError('42702', `column reference "${name}" is ambiguous`);
    if (found[0]) return found[0];
    if (table !== null && sources.length > 0) break;
  }
  throw unknownColumn(scope, path, table, name);
}

function unknownColumn(scope: Scope, path: readonly string[], table: string | null, name: string): SqlError {
  if (table !== null && !allSources(scope).some((source) => source.alias === table))
    return new SqlError('42P01', `missing FROM-clause entry for table "${table}"`);
  const known = allSources(scope).flatMap((source) =>
    source.governed ? [...source.governed.relation.members.keys()] : source.columns.map((one) => one.name),
  );
  const near = nearest(name, known);
  return new SqlError('42703', `column "${path.join('.')}" does not exist`, {
    ...(near === undefined || near === null ? {} : { hint: `Did you mean "${near}"?` }),
  });
}

function allSources(scope: Scope): Source[] {
  const found: Source[] = [];
  for (let at: Scope | null = scope; at; at = at.outer) found.push(...at.sources);
  return found;
}

/** What a parameter has turned out to be; filled while a statement is compiled. */
export class Parameters {
  readonly types: (SqlType | undefined)[];
  readonly values: readonly (string | null)[] | null;
  constructor(types: readonly (SqlType | undefined)[], values: readonly (string | null)[] | null) {
    this.types = [...types];
    this.values = values;
  }
  infer(number: number, type: SqlType): void {
    if (type !== 'unknown') this.types[number - 1] ??= type;
  }
}
