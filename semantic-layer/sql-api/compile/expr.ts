import type { SqlType } from '../types.ts';

/** An expression for the engine, with the type PostgreSQL gives it. */
export interface Expr {
  readonly sql: string;
  readonly type: SqlType;
  /** Number of the parameter it is. */
  readonly param?: number;
  /** Value of a literal, as text. */
  readonly literal?: string;
}
