import type { Principal } from '#kernel';
import type { EntityInfo } from '../model/catalogue.ts';
import type { Model } from '../model/model.ts';
import type { Access } from '../read/access.ts';
import type { Identity, Param, Sessions, Statement, Transaction } from '../sessions/index.ts';
import type { Call, Json, TimelineEntry } from '../types.ts';
import type { Given } from './given.ts';

/** One writing call: its transaction, who acts, and what it has done so far. */
export interface Unit {
  readonly tx: Transaction;
  readonly sessions: Sessions;
  readonly model: Model;
  readonly principal: Principal;
  readonly identity: Identity;
  readonly call: Call;
  /** The principal's rights. */
  readonly access: Access;
  /** False when the database alone is to hold the policy: then nothing is done for the principal by the app. */
  readonly mayElevate: boolean;
  /** Written at the end of the transaction. */
  readonly trail: TrailEntry[];
  /** Records whose rules are looked at before the commit, by `app.entity id`. */
  readonly unchecked: Map<string, { readonly entity: EntityInfo; readonly id: string }>;
  /** How deep automations have set off one another, transitions one another, and how many works of the app are under way. */
  readonly nesting: { automations: number; transitions: number; app: number };
  /** What follows from a change of a record, in the same transaction. */
  settle(entity: EntityInfo, event: Event): Promise<void>;
  /** A transition done by the app. */
  transit(entity: EntityInfo, id: string, name: string, input: Given): Promise<void>;
}

/** `work` is done by the app: with all rights in the tenant, and on documents that are fixed for people. */
export async function asApp<T>(unit: Unit, work: () => Promise<T>): Promise<T> {
  unit.nesting.app += 1;
  try {
    return await unit.tx.elevated(work);
  } finally {
    unit.nesting.app -= 1;
  }
}

/** What has happened to a record in this transaction. */
export interface Event {
  readonly kind: 'created' | 'updated' | 'transition' | 'action' | 'deleted';
  readonly id: string;
  /** null: it is new. */
  readonly before: StoredRow | null;
  /** null: it is gone. */
  readonly after: StoredRow | null;
  /** Its children's included; worked out from the two rows if absent. */
  readonly changes?: readonly Change[];
  /** Of the transition or action. */
  readonly name?: string;
}

export interface Change {
  /** `amount`; of a child table's row `lines.17.quantity`, of a whole one `lines.17`. */
  readonly field: string;
  readonly old: Json;
  readonly new: Json;
}

export interface TrailEntry {
  readonly entity: EntityInfo;
  readonly id: string;
  readonly kind: TimelineEntry['kind'];
  readonly name?: string;
  readonly text?: string;
  readonly mentions?: readonly string[];
  readonly changes?: readonly Change[];
}

/** Parameters of a statement being put together. */
export class Binder {
  readonly values: Param[] = [];

  /** `$2` */
  add(value: Param): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }

  statement(text: string, keep = true): Statement {
    return { text, values: this.values, keep };
  }
}

/** A row as it is stored: column to text. */
export type StoredRow = ReadonlyMap<string, string | null>;

export const storedRow = (columns: readonly string[], values: readonly (string | null)[]): StoredRow =>
  new Map(columns.map((column, index) => [column, values[index] ?? null]));

/** A row as it is now, whoever may see it. */
export async function currentRow(unit: Unit, entity: EntityInfo, id: string): Promise<StoredRow | null> {
  const writer = unit.model.rows(entity);
  const binder = new Binder();
  const { rows } = await unit.tx.run({
    ...binder.statement(`SELECT ${writer.columnsSql} FROM ${entity.table} t WHERE t.id = ${binder.add(id)}`),
    elevated: true,
  });
  return rows[0] ? storedRow(writer.columns, rows[0]) : null;
}

/** Tenant as a rule on alias `t`, so that indexes serve; the policies hold it anyway. */
export const ofTenant = (entity: EntityInfo, binder: Binder, tenant: string, alias = 't'): string =>
  entity.tenantScoped ? ` AND ${alias}.tenant_id = ${binder.add(tenant)}` : '';
