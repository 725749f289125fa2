import { pgIdent } from '#kernel';
import { refused } from '../errors.ts';
import type { Expr } from './expr.ts';
import type { Member, Relation } from './relation.ts';

/** What a loaded row holds: a dimension, a dimension cut to a granularity, or a measure. */
export interface Slot {
  readonly member: Member;
  readonly granularity: string | null;
}

export const slotName = ({ member, granularity }: Slot): string =>
  granularity === null ? member.name : `${member.name}.${granularity}`;

/**
 * How a cube or view is loaded for one SELECT. `rows`: ungrouped, as they are; `grouped`: one row for
 * each combination of `grain`. `direct`: the grain is the SELECT's own groups, so that measures are taken
 * as they come; otherwise they are put together of parts, which only additive ones bear.
 */
export type Shape =
  | { readonly mode: 'rows' }
  | { readonly mode: 'grouped'; readonly direct: boolean; readonly grain: readonly Slot[] };

/** One cube or view in one FROM, and what the statement turns out to need of it. */
export class Governed {
  readonly relation: Relation;
  /** Of the engine, filled from the semantic layer before the statement runs. */
  readonly table: string;
  readonly alias: string;
  shape: Shape = { mode: 'rows' };
  readonly filters: unknown[] = [];
  readonly segments: string[] = [];
  order: (readonly [string, 'asc' | 'desc'])[] = [];
  limit: number | null = null;
  readonly #slots = new Map<string, Slot>();

  constructor(relation: Relation, table: string) {
    this.relation = relation;
    this.table = table;
    this.alias = `s_${table}`;
  }

  get slots(): readonly Slot[] {
    return [...this.#slots.values()];
  }

  groupAt(direct: boolean, grain: readonly Slot[]): void {
    this.shape = { mode: 'grouped', direct, grain };
    for (const slot of grain) this.#slots.set(slotName(slot), slot);
  }

  /** Reference to a slot, which from now on is loaded. */
  slot(slot: Slot): string {
    this.#slots.set(slotName(slot), slot);
    return this.reference(slot);
  }

  reference(slot: Slot): string {
    return `${pgIdent(this.alias)}.${pgIdent(slotName(slot))}`;
  }

  /** A column of a row. Errors: 0A000 for what a row of this shape has not. */
  column(member: Member): Expr {
    if (member.kind === 'measure') return this.#measureOfRow(member);
    if (this.shape.mode === 'grouped' && !this.#slots.has(slotName({ member, granularity: null })))
      throw refused(
        `"${member.column}" is needed row by row, but the rows of "${this.relation.name}" are grouped here.`,
        `Compute it in a sub-query: SELECT ... FROM (SELECT ${member.column}, ... FROM ${this.relation.name}) AS rows`,
      );
    return { sql: this.slot({ member, granularity: null }), type: member.type };
  }

  /** A time cut to a granularity, where the grain has it. */
  time(member: Member, granularity: string): Expr | null {
    const slot = { member, granularity };
    if (this.shape.mode === 'rows' || !this.#slots.has(slotName(slot))) return null;
    return { sql: this.slot(slot), type: 'timestamp' };
  }

  #measureOfRow(member: Member): Expr {
    const { relation } = this;
    if (this.shape.mode === 'grouped')
      throw refused(
        `"${member.column}" is a measure and has to be aggregated here.`,
        `Write MEASURE(${member.column}); compare measures in HAVING, not in WHERE.`,
      );
    if (relation.view || !ROW_VALUES.has(member.aggregate ?? ''))
      throw refused(
        `The measure "${member.column}" of "${relation.name}" has no value for a single row.`,
        `SELECT MEASURE(${member.column}) FROM ${relation.name}`,
      );
    return { sql: this.slot({ member, granularity: null }), type: rowType(member) };
  }
}

/** Measures that are an aggregate of one expression: that expression is their value for a row. */
export const ROW_VALUES: ReadonlySet<string> = new Set([
  'sum',
  'count',
  'min',
  'max',
  'avg',
  'countDistinct',
]);

const rowType = (member: Member): Expr['type'] =>
  member.aggregate === 'countDistinct' ? 'text' : member.aggregate === 'avg' ? 'numeric' : member.type;
