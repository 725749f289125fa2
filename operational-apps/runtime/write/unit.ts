import type { Principal } from '#kernel';
import type { EntityInfo } from '../model/catalogue.ts';
import type { Model } from '../model/model.ts';
import type { Access } from '../read/access.ts';
import type { Identity, Param, Sessions, Statement, Transaction } from '../sessions/index.ts';
import type { Call, Json, TimelineEntry } from '../types.ts';

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

/** Tenant as a rule on alias `t`, so that indexes serve; the policies hold it anyway. */
export const ofTenant = (entity: EntityInfo, binder: Binder, tenant: string, alias = 't'): string =>
  entity.tenantScoped ? ` AND ${alias}.tenant_id = ${binder.add(tenant)}` : '';
