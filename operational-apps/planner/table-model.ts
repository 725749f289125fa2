import type { Numbering } from '../definitions/index.ts';

export interface ColumnModel {
  readonly name: string;
  /** As PostgreSQL's format_type prints it, so that the catalog can be compared with it. */
  readonly type: string;
  readonly notNull: boolean;
  /** As pg_get_expr prints it; null = none. */
  readonly default: string | null;
  readonly identity?: boolean;
  readonly comment: string | null;
  readonly renamedFrom?: string | undefined;
  /**
   * SQL of its value over the row's table, for rows written before the column existed or its rule changed;
   * `rule` is the constraint whose name tells whether that has happened.
   */
  readonly computed?: { readonly sql: string; readonly rule: string };
}

export interface ConstraintModel {
  /** Ends in a hash of the definition: a changed rule is another constraint. */
  readonly name: string;
  readonly kind: 'unique' | 'check' | 'foreign';
  readonly definition: string;
}

export interface IndexModel {
  readonly name: string;
  readonly definition: string;
}

export interface PolicyModel {
  /** Ends in a hash of the definition, like that of a constraint. */
  readonly name: string;
  /** What follows `CREATE POLICY name ON table`. */
  readonly definition: string;
}

export interface TableModel {
  readonly schema: string;
  readonly name: string;
  readonly renamedFrom?: string | undefined;
  readonly columns: readonly ColumnModel[];
  readonly primaryKey: readonly string[];
  readonly constraints: readonly ConstraintModel[];
  readonly indexes: readonly IndexModel[];
  readonly comment: string | null;
  readonly numbering?: Numbering | undefined;
  readonly tenantScoped: boolean;
  readonly policies: readonly PolicyModel[];
  /** Who is granted the table: principals and effects, or effects alone. */
  readonly access: 'all' | 'effects';
}
