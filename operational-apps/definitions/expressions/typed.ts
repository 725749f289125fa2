import type { EntityModel } from '../model.ts';
import type { BinaryOperator } from './tree.ts';
import type { Type } from './types.ts';

/** Where a column's row comes from. */
export type Row =
  /** The row the expression is about. */
  | { readonly kind: 'own' }
  /** A row held by a variable: `$each`, `$old`, `$invoice`. */
  | { readonly kind: 'variable'; readonly name: string }
  /** The row a reference column of `from` points to. */
  | { readonly kind: 'through'; readonly from: Row; readonly column: string; readonly entity: EntityModel }
  /** Each row of an aggregate. */
  | { readonly kind: 'each'; readonly rows: Rows };

/** Rows that point to `from`: of a child table, or of an entity with a reference here. */
export interface Rows {
  readonly entity: EntityModel;
  readonly from: Row;
  readonly column: string;
  /** For an anyReference: its column with the entity, and what it must hold. */
  readonly entityColumn?: { readonly column: string; readonly value: string };
}

/** An expression with every name looked up and every part's type known. */
export type Typed = { readonly type: Type } & (
  | { readonly kind: 'literal'; readonly value: string | boolean | null }
  /** `columns`: one, but for addresses (five) and anyReferences (entity, id). */
  | { readonly kind: 'column'; readonly row: Row; readonly columns: readonly string[] }
  | { readonly kind: 'variable'; readonly name: string; readonly member: string | null }
  | { readonly kind: 'clock'; readonly unit: 'now' | 'today' }
  | { readonly kind: 'convert'; readonly operand: Typed }
  | { readonly kind: 'unary'; readonly operator: '-' | 'not'; readonly operand: Typed }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Typed;
      readonly right: Typed;
    }
  | { readonly kind: 'isNull'; readonly operand: Typed; readonly negated: boolean }
  | {
      readonly kind: 'in';
      readonly operand: Typed;
      readonly values: readonly Typed[];
      readonly negated: boolean;
    }
  | { readonly kind: 'call'; readonly function: string; readonly operands: readonly Typed[] }
  | {
      readonly kind: 'aggregate';
      readonly function: string;
      readonly rows: Rows;
      readonly value: Typed | null;
      readonly condition: Typed | null;
    }
);

/** The parts one level down. */
export function typedParts(node: Typed): readonly Typed[] {
  switch (node.kind) {
    case 'convert':
    case 'unary':
    case 'isNull':
      return [node.operand];
    case 'binary':
      return [node.left, node.right];
    case 'in':
      return [node.operand, ...node.values];
    case 'call':
      return node.operands;
    case 'aggregate':
      return [node.value, node.condition].filter((part) => part !== null);
    default:
      return [];
  }
}

/** What an expression looks at: decides where it can be held and when it must be worked out anew. */
export interface Uses {
  /** Columns of the own row. */
  readonly columns: ReadonlySet<string>;
  /** Full names of entities other than through the own columns. */
  readonly entities: ReadonlySet<string>;
  readonly rows: readonly Rows[];
  readonly variables: ReadonlySet<string>;
  readonly clock: boolean;
}

export function usesOf(expression: Typed): Uses {
  const columns = new Set<string>();
  const entities = new Set<string>();
  const rows: Rows[] = [];
  const variables = new Set<string>();
  let clock = false;
  const visitRow = (row: Row): void => {
    if (row.kind === 'variable') variables.add(row.name);
    if (row.kind !== 'through') return;
    entities.add(`${row.entity.app}.${row.entity.name}`);
    if (row.from.kind === 'own') columns.add(row.column);
    visitRow(row.from);
  };
  const visit = (node: Typed): void => {
    if (node.kind === 'column') {
      if (node.row.kind === 'own') for (const column of node.columns) columns.add(column);
      visitRow(node.row);
    }
    if (node.kind === 'variable') variables.add(node.name);
    if (node.kind === 'clock') clock = true;
    if (node.kind === 'aggregate') {
      rows.push(node.rows);
      entities.add(`${node.rows.entity.app}.${node.rows.entity.name}`);
      visitRow(node.rows.from);
    }
    for (const part of typedParts(node)) visit(part);
  };
  visit(expression);
  return { columns, entities, rows, variables, clock };
}

/** Every column an expression looks at: of the own row (entity null), or of rows of another entity. */
export function readsOf(expression: Typed): { entity: EntityModel | null; column: string }[] {
  const own =
    expression.kind === 'column'
      ? expression.columns.map((column) => ({ entity: entityOf(expression.row), column }))
      : [];
  return [...own, ...typedParts(expression).flatMap(readsOf)];
}

function entityOf(row: Row): EntityModel | null {
  if (row.kind === 'through') return row.entity;
  return row.kind === 'each' ? row.rows.entity : null;
}

/** True if the own row alone decides. */
export const isOwnColumnsOnly = (expression: Typed): boolean => {
  const uses = usesOf(expression);
  return uses.entities.size === 0 && uses.variables.size === 0 && !uses.clock;
};
