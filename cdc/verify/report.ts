/** What became of one table. */
export type TableOutcome =
  | 'ok'
  /** Rows differ, and still do after the warehouse has caught up. */
  | 'different'
  /** They did, and do no more. */
  | 'repaired'
  /** Not compared; `reason` says why. */
  | 'skipped';

export interface ColumnDifference {
  readonly column: string;
  /** Text of the value, at most 200 characters; null = NULL. */
  readonly source: string | null;
  readonly warehouse: string | null;
}

export interface Difference {
  readonly kind: 'missing-in-warehouse' | 'extra-in-warehouse' | 'different';
  readonly key: Readonly<Record<string, string | null>>;
  readonly columns: readonly ColumnDifference[];
  readonly repaired: boolean;
}

export interface TableReport {
  readonly source: string;
  readonly table: string;
  readonly state: TableOutcome;
  readonly reason?: string;
  readonly sourceRows: number;
  readonly warehouseRows: number;
  /** Key ranges compared, and parts of them whose checksums differed at first. */
  readonly ranges: number;
  readonly suspectParts: number;
  /** Confirmed differences, repaired ones included. */
  readonly differences: number;
  readonly repaired: number;
  /** Rows that kept changing while they were looked at: neither equal nor different. */
  readonly changing: number;
  /** The first of the differences in detail. */
  readonly examples: readonly Difference[];
  /** True: there are more differences than were counted. */
  readonly truncated: boolean;
  readonly openDeadLetters: number;
  readonly seconds: number;
}

export interface VerifyReport {
  /** Every table is equal or repaired, or is not captured for a known reason. */
  readonly ok: boolean;
  readonly seconds: number;
  readonly tables: readonly TableReport[];
  readonly [detail: string]: unknown;
}
