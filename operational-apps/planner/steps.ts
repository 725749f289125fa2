export interface PlanStep {
  readonly sql: string;
  /**
   * additive: nothing that is there is lost. data: rows are written so that a new rule holds for
   * them. destructive: values may be lost; only run on confirmation.
   */
  readonly kind: 'additive' | 'data' | 'destructive';
  /** One line for people: what it does and why. */
  readonly description: string;
}

/** Order of the work: what later steps stand on comes first, what loses values comes last. */
export const PHASES = [
  'schema',
  'roles',
  'rename',
  'create',
  'release',
  'column',
  'data',
  'rule',
  'index',
  'foreign',
  'access',
  'comment',
  'drop',
] as const;
export type Phase = (typeof PHASES)[number];

export type Emit = (phase: Phase, kind: PlanStep['kind'], sql: string, description: string) => void;
