import type { Node } from './ast.ts';
import type { Expr } from './expr.ts';
import type { OutputColumn, Parameters, Scope } from './scope.ts';

/** Where an expression stands. */
export interface Env {
  readonly scope: Scope;
  readonly params: Parameters;
  readonly statement: StatementContext;
  /** The groups of the SELECT, if it has any and the expression is not inside an aggregate. */
  readonly groups: Groups | null;
  /** Whether aggregates may stand here. */
  readonly aggregates: boolean;
}

export interface Groups {
  /** Canonical text of what is grouped by. */
  readonly canonical: ReadonlySet<string>;
  readonly sql: ReadonlySet<string>;
}

/** What the whole statement shares. */
export interface StatementContext {
  /** Moment of the statement, `YYYY-MM-DD HH:MM:SS.ffffff` in UTC. */
  readonly now: string;
  readonly user: string;
  /** Value of an expression of the engine without columns; null: not known in this pass, but asked for. */
  constant(sql: string): { readonly value: string | null } | null;
  select(
    node: Node,
    outer: Scope | null,
    params: Parameters,
  ): { sql: string; columns: readonly OutputColumn[] };
}

export type Compile = (node: Node, env: Env) => Expr;

export const withoutGroups = (env: Env): Env => ({ ...env, groups: null, aggregates: false });
