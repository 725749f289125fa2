import type { Pool } from 'pg';
import { applyPlan, type PlanStep } from '../planner/index.ts';

export interface RunOptions {
  /** Looked at before each step. */
  readonly signal: AbortSignal;
  readonly onStep: (step: PlanStep) => void;
}

/**
 * Runs steps in order, those that lose values too. Errors: PLAN_STEP_FAILED (user) naming the step; what the
 * signal aborts with. Earlier steps stay done.
 */
export async function runSteps(pool: Pool, steps: readonly PlanStep[], options: RunOptions): Promise<void> {
  if (steps.length === 0) return;
  const client = await pool.connect();
  try {
    for (const step of steps) {
      options.signal.throwIfAborted();
      options.onStep(step);
      await applyPlan(client, { steps: [step] }, { confirmDestructive: true });
    }
  } finally {
    client.release();
  }
}
