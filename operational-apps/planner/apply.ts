import { HubError } from '#kernel';
import type { Queryable } from './catalog.ts';
import type { Plan } from './plan.ts';
import type { PlanStep } from './steps.ts';

/** Deadlock with running transactions, serialisation failure: a step may be run again. */
const CONFLICTS = new Set(['40P01', '40001']);
const ATTEMPTS = 5;

export interface ApplyOptions {
  /** Also run the steps that may lose values; without it they are left out and returned. */
  readonly confirmDestructive?: boolean;
  readonly onStep?: (step: PlanStep) => void;
}

export interface Applied {
  readonly done: readonly PlanStep[];
  /** Destructive steps that were not confirmed. The database works without them. */
  readonly skipped: readonly PlanStep[];
}

/**
 * Runs a plan step by step, each in a transaction of its own (DDL is not transactional everywhere);
 * after an interruption plan again and apply what is left. One process at a time.
 * Errors: PLAN_STEP_FAILED (user) naming the step and the database's reason; earlier steps stay done.
 */
export async function applyPlan(client: Queryable, plan: Plan, options: ApplyOptions = {}): Promise<Applied> {
  const done: PlanStep[] = [];
  const skipped: PlanStep[] = [];
  for (const step of plan.steps) {
    if (step.kind === 'destructive' && options.confirmDestructive !== true) {
      skipped.push(step);
      continue;
    }
    options.onStep?.(step);
    try {
      await run(client, step.sql);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new HubError('PLAN_STEP_FAILED', `${step.description}: ${reason}`, {
        disposition: 'user',
        next: 'Mend the rows or the definition it speaks of, then plan and apply again.',
        cause,
        details: { sql: step.sql, done: done.length },
      });
    }
    done.push(step);
  }
  return { done, skipped };
}

async function run(client: Queryable, sql: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await client.query(sql);
      return;
    } catch (error) {
      if (attempt === ATTEMPTS || !CONFLICTS.has((error as { code?: string }).code ?? '')) throw error;
    }
  }
}
