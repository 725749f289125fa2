import type { EntityModel } from '../../model.ts';
import type { Row, Typed } from '../typed.ts';

/** What cannot be said in ClickHouse so that it means exactly what it means in PostgreSQL. */
export class NotInWarehouse extends Error {}

/** Where the parts of an expression are found in the statement it becomes a part of. */
export interface Place {
  /** SQL of a column; NULL where its row is missing. */
  column(row: Row, column: string): string;
  /** An array column: ClickHouse's arrays are never NULL, `missing` is true where the source's is. */
  list(row: Row, column: string): { readonly array: string; readonly missing: string };
  aggregate(node: Typed & { kind: 'aggregate' }): string;
}

/** How the warehouse holds the rows of entities, and who asks. */
export interface WarehouseScope {
  /** `database`.`table`, and what must hold of a row for whoever asks to see it. */
  rows(entity: EntityModel): { readonly table: string; readonly rule: (own: OwnRow) => string };
  /** As `SqlContext.variables`, of ClickHouse's types; `$roles` is an array. */
  readonly variables: Readonly<Record<string, (member: string | null) => string>>;
  /** SQL of this moment and of this day (UTC). */
  readonly clock: Readonly<Record<'now' | 'today', string>>;
  /** Aliases that no other part of the statement has. */
  alias(): string;
}

/** The row an expression is about. */
export interface OwnRow {
  readonly entity: EntityModel;
  /** SQL of one of its columns. */
  readonly column: (name: string) => string;
}

/** Rows that are not deleted, each once. */
export const currentRows = (table: string, alias: string): string => `${table} AS ${alias} FINAL`;
