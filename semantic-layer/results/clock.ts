import type { Freshness } from '#kernel';

/** What the results' cache knows of the warehouse's tables. Filled from the change stream by hub/semantic. */
export interface TableClock {
  /** Tables (`database.table`) whose names occur in the statement. */
  tablesIn(sql: string): readonly string[];
  /**
   * Grows whenever stored rows of any of these tables have changed. What was read after a stamp was taken is good
   * as long as the stamp is the same.
   */
  stamp(tables: readonly string[]): number;
  /** Of the least fresh of these tables. */
  freshness(tables: readonly string[]): Freshness;
  /** Resolves once freshness is at most about a second behind what is known in the hub. */
  current(): Promise<void>;
  /** Resolves when a stamp may have grown since it was asked for, or when the signal aborts. */
  moved(signal: AbortSignal): Promise<void>;
}
