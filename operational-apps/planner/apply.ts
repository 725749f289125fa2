import { HubError } from '#kernel';
import type { Queryable } from './catalog.ts';
import type { Plan } from './plan.ts';
import type { PlanStep } from './steps.ts';

/** Deadlock with running transactions, serialisation failure: a step may be run again. */
const CONFLICTS = new Set(['40P01', '40001']);
const ATTEMPTS = 5;
/** A lock not got in this time is given up and tried again, so that nobody queues behind the wait for it. */
const LOCK_WAIT = '2s';
const LOCK_NOT_GOT = '55P03';
const LOCK_ATTEMPTS = 60;
/** Ids whose rows are written in one transaction. */
const PIECE = 20_000n;

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
      await run(client, step);
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

async function run(client: Queryable, step: PlanStep): Promise<void> {
  if (step.pieces !== undefined) return runPieces(client, step.sql, step.pieces);
  // One message of several statements is one transaction.
  const sql = step.alone ? step.sql : `SET LOCAL lock_timeout = '${LOCK_WAIT}';\n${step.sql}`;
  return tried(() => client.query(sql));
}

async function runPieces(client: Queryable, sql: string, table: string): Promise<void> {
  const { rows } = await client.query<{ low: string | null; high: string | null }>(
    `SELECT min(id)::text AS low, max(id)::text AS high FROM ${table}`,
  );
  const { low, high } = rows[0]!;
  if (low === null || high === null) return;
  for (let from = BigInt(low) - 1n; from < BigInt(high); from += PIECE)
    await tried(() => client.query(sql, [String(from), String(from + PIECE)]));
}

async function tried(work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await work();
      return;
    } catch (error) {
      const code = (error as { code?: string }).code ?? '';
      const attempts = code === LOCK_NOT_GOT ? LOCK_ATTEMPTS : CONFLICTS.has(code) ? ATTEMPTS : 1;
      if (attempt >= attempts) throw error;
    }
  }
}
