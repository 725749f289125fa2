import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { HubError } from '#kernel';
import { applyPlan, type PlanStep } from '../planner/index.ts';
import { online, tablesMade } from './steps.ts';

/** A step that waits for a lock holds up everyone behind it: it gives way after this long and tries again. */
const LOCK_TIMEOUT_MS = 1000;
const PAUSE_MS = 200;
const PATIENCE_MS = 60_000;
const LOCK_NOT_AVAILABLE = '55P03';

export interface RunOptions {
  /** Looked at before each step. */
  readonly signal: AbortSignal;
  readonly onStep: (step: PlanStep) => void;
}

/**
 * Runs steps in order beside readers and writers, each in a transaction of its own. Errors:
 * PLAN_STEP_FAILED (user) naming the step; what the signal aborts with. Earlier steps stay done.
 */
export async function runSteps(pool: Pool, steps: readonly PlanStep[], options: RunOptions): Promise<void> {
  if (steps.length === 0) return;
  const made = tablesMade(steps);
  const client = await pool.connect();
  try {
    for (const step of steps) {
      options.signal.throwIfAborted();
      options.onStep(step);
      const until = performance.now() + PATIENCE_MS;
      const run = online(step, made);
      // A concurrent build holds nobody up while it waits, and could not be tried again.
      const timeout = run.sql.includes(' CONCURRENTLY ') ? 0 : LOCK_TIMEOUT_MS;
      await client.query(`SET lock_timeout = ${timeout}`);
      while (!(await tried(client, run, until))) {
        await sleep(PAUSE_MS, undefined, { signal: options.signal });
      }
    }
  } finally {
    client.release(true); // with its settings
  }
}

/** False: a lock was held too long and there is time left to try again. */
async function tried(
  client: Parameters<typeof applyPlan>[0],
  step: PlanStep,
  until: number,
): Promise<boolean> {
  try {
    await applyPlan(client, { steps: [step] }, { confirmDestructive: true });
    return true;
  } catch (error) {
    const { code } = ((error as HubError).cause ?? {}) as { code?: string };
    if (error instanceof HubError && code === LOCK_NOT_AVAILABLE && performance.now() < until) return false;
    throw error;
  }
}
