export interface Check {
  readonly type: 'check';
  readonly name: string;
  readonly ok: boolean;
  /** There was nothing to check: no fault, and no proof either. */
  readonly skipped?: true;
  readonly message: string;
  readonly next?: string;
}

export interface Hop {
  readonly type: 'hop';
  readonly name: string;
  readonly ok: boolean;
  /** Since the hop before, and since the row was written. */
  readonly ms: number;
  readonly totalMs: number;
  readonly message?: string;
  readonly next?: string;
}

export type Finding = Check | Hop;
