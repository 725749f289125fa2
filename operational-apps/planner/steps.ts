export interface PlanStep {
  readonly sql: string;
  /**
   * additive: nothing that is there is lost. data: rows are written so that a new rule holds for
   * them. destructive: values may be lost; only run on confirmation.
   */
  readonly kind: 'additive' | 'data' | 'destructive';
  /** Cannot be part of a transaction (CREATE INDEX CONCURRENTLY). */
  readonly alone?: boolean;
  /** Table (quoted) whose rows are written piece by piece: `sql` takes the ids after $1, up to $2. */
  readonly pieces?: string;
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

export type Emit = (
  phase: Phase,
  kind: PlanStep['kind'],
  sql: string,
  description: string,
  how?: Pick<PlanStep, 'alone' | 'pieces'>,
) => void;
