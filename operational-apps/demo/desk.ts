import type { Agenda } from './agenda.ts';
import type { Catalogue } from './catalogue.ts';
import type { Tenant } from './tenants.ts';
import type { World } from './world.ts';

/** Account and cents: positive is debit, negative credit. */
export type Posting = readonly [account: number, cents: number];

export interface Entry {
  readonly kind: 'opening' | 'summary' | 'invoice' | 'credit' | 'payment' | 'cost' | 'purchase';
  readonly memo: string;
  readonly source: readonly [type: string, id: number] | null;
  readonly at: number;
  readonly lines: readonly Posting[];
}

/** What all who write into the books need. */
export interface Desk {
  readonly world: World;
  readonly tenant: Tenant;
  readonly catalogue: Catalogue;
  readonly agenda: Agenda;
  next(series: string): number;
  /** An entry of its own; lines of nothing are left out. */
  post(entry: Entry): void;
  /** Adds to the summary of the month of `at`. */
  summarise(at: number, lines: readonly Posting[]): void;
}
