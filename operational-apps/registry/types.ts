import type { App } from '../definitions/index.ts';
import type { PlanStep } from '../planner/index.ts';

export type VersionState = 'applying' | 'applied' | 'rolled_back' | 'failed';

/** One apply of one app, as kept in `bac.app_versions`. */
export interface AppVersion {
  readonly revision: string;
  readonly app: string;
  readonly version: number;
  readonly changeId: string;
  readonly file: string;
  readonly yaml: string;
  readonly sha256: string;
  readonly label: string;
  readonly entities: number;
  readonly origin: 'shipped' | 'applied';
  readonly restores: number | null;
  readonly state: VersionState;
  readonly confirmed: boolean;
  readonly plan: readonly PlanStep[];
  readonly message: string | null;
  readonly beganAt: Date;
  readonly appliedAt: Date | null;
  readonly appliedBy: string;
}

/** The apps in force, checked, and those whose definition this hub no longer takes. */
export interface InForce {
  /** Newest applied row of all; '0' while nothing was ever applied. */
  readonly revision: string;
  readonly apps: readonly App[];
  readonly versions: readonly AppVersion[];
  /** By app: what is wrong with it. The others are in force all the same. */
  readonly invalid: ReadonlyMap<string, string>;
}

export type StreamChange = 'begins' | 'columns' | 'anew' | 'stops';

/** What a change does to one table after the database: in the stream or in the warehouse. */
export interface TableEffect {
  /** `schema.table` in the stream, `database.table` in the warehouse. */
  readonly table: string;
  readonly change: StreamChange;
  readonly text: string;
  /** Only if steps that lose values are confirmed. */
  readonly onlyConfirmed: boolean;
}

export interface PlannedApp {
  readonly app: string;
  readonly label: string;
  /** Version in force; null for a new app. */
  readonly from: number | null;
  readonly to: number;
  /** The text is the one in force. */
  readonly same: boolean;
}

export interface Loss {
  readonly step: string;
  readonly loses: string;
  /** What rolling back would do about it. */
  readonly rollback: string;
}

export interface ChangePlan {
  /** Of the steps and versions: an apply can be held to the very plan that was shown. */
  readonly id: string;
  readonly apps: readonly PlannedApp[];
  /** In the order in which they run. */
  readonly steps: readonly PlanStep[];
  readonly stream: readonly TableEffect[];
  readonly warehouse: readonly TableEffect[];
  /** Who may do what, before and after, in words. */
  readonly policies: readonly string[];
  readonly losses: readonly Loss[];
}

export type ApplyProgress =
  | { readonly type: 'planned'; readonly plan: ChangePlan }
  | { readonly type: 'resumed'; readonly message: string }
  | {
      readonly type: 'step';
      readonly step: number;
      readonly of: number;
      readonly kind: PlanStep['kind'];
      readonly message: string;
    }
  | { readonly type: 'stage'; readonly stage: 'in force' | 'captured'; readonly message: string };

export interface ApplyResult {
  readonly ok: true;
  readonly apps: readonly { readonly app: string; readonly version: number }[];
  /** False: everything was so already. */
  readonly changed: boolean;
  readonly done: number;
  /** Steps that lose values and were not confirmed; the apps work without them. */
  readonly skipped: readonly PlanStep[];
  /** Why the tables are not in the stream; null = they are, or are about to be. */
  readonly notCaptured: string | null;
  readonly milliseconds: number;
}
