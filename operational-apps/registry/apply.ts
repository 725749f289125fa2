import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { HubError, type Logger, toHubError } from '#kernel';
import type { PlanStep } from '../planner/index.ts';
import { type Planned, planChange } from './plan.ts';
import { runSteps } from './run-steps.ts';
import { begin, fail, finish, remark, revisionInForce, unfinished } from './store.ts';
import type { ApplyProgress, ApplyResult, AppVersion } from './types.ts';

/** A change whose plan is made. */
export interface Prepared extends Planned {
  readonly origin: AppVersion['origin'];
  readonly restores: number | null;
}

export interface ApplyContext {
  readonly pool: Pool;
  readonly logger: Logger;
  readonly source: string;
  readonly capture: (schemas: readonly string[]) => Promise<void>;
  readonly settled?: (revision: string) => Promise<void>;
  readonly announce: () => Promise<void>;
  /** Aborts when the right to change apps is lost or the process stops. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ApplyProgress) => void;
}

/** Carries a prepared change out; see `AppRegistry.apply`. Only under the lease. */
export async function applyPrepared(
  context: ApplyContext,
  change: Prepared & { readonly by: string; readonly confirmed: boolean },
): Promise<ApplyResult> {
  const { plan, given, origin, restores, by, confirmed } = change;
  context.onProgress({ type: 'planned', plan });
  const news = given.flatMap(({ app, file }) => {
    const planned = plan.apps.find((one) => one.app === app.name)!;
    return planned.same && restores === null ? [] : [{ app, file, version: planned.to }];
  });
  const changeId = news.length > 0 ? randomUUID() : null;
  if (changeId !== null)
    await begin(
      context.pool,
      changeId,
      news.map(({ app, file, version }) => ({
        app,
        version,
        file: file.file,
        yaml: file.content,
        origin,
        restores,
        confirmed,
        message: restores === null ? null : `back to version ${restores}`,
        appliedBy: by,
      })),
      plan.steps,
    );
  const schemas = given.map(({ app }) => app.name);
  return {
    apps: news.map(({ app, version }) => ({ app: app.name, version })),
    ...(await carryOut(context, { changeId, steps: plan.steps, confirmed, schemas })),
  };
}

/**
 * Goes on with what a crash interrupted: the catalog shows how far it came, so planning anew gives what is
 * left. What cannot be gone on with is marked as failed, and the definitions before it stay in force.
 */
export async function resume(context: ApplyContext): Promise<void> {
  const changes = Map.groupBy(await unfinished(context.pool), ({ changeId }) => changeId);
  for (const [changeId, rows] of changes) {
    const names = rows.map(({ app, version }) => `${app} version ${version}`).join(', ');
    context.onProgress({ type: 'resumed', message: `going on with ${names}, which was interrupted` });
    try {
      const files = rows.map(({ file, yaml }) => ({ file, content: yaml }));
      const { plan } = await planChange(context.pool, files, context.source);
      const confirmed = rows.every((row) => row.confirmed);
      const schemas = rows.map(({ app }) => app);
      await carryOut(context, { changeId, steps: plan.steps, confirmed, schemas });
    } catch (thrown) {
      const error = toHubError(thrown);
      context.signal.throwIfAborted();
      context.logger.warn({ err: error, names }, 'an interrupted change of apps cannot be gone on with');
      await fail(context.pool, changeId, `interrupted, and then: ${error.message}`);
    }
  }
}

interface Work {
  /** Null: no definition changes, only the database. */
  readonly changeId: string | null;
  readonly steps: readonly PlanStep[];
  readonly confirmed: boolean;
  readonly schemas: readonly string[];
}

async function carryOut(
  context: ApplyContext,
  { changeId, steps, confirmed, schemas }: Work,
): Promise<Omit<ApplyResult, 'apps'>> {
  const began = performance.now();
  const { pool, logger, signal, onProgress } = context;
  const safe = steps.filter(({ kind }) => kind !== 'destructive');
  const lossy = steps.filter(({ kind }) => kind === 'destructive');
  const of = safe.length + (confirmed ? lossy.length : 0);
  let step = 0;
  const onStep = ({ kind, description }: PlanStep): void => {
    step += 1;
    onProgress({ type: 'step', step, of, kind, message: description });
  };
  try {
    await runSteps(pool, safe, { signal, onStep });
  } catch (thrown) {
    signal.throwIfAborted(); // left as it is: to be gone on with
    if (changeId !== null) await fail(pool, changeId, toHubError(thrown).message);
    throw thrown;
  }
  if (changeId !== null) {
    if (!(await finish(pool, changeId)))
      throw new HubError('APPS_BUSY', 'Another process has taken this change over.', {
        disposition: 'transient',
        next: '`bac app list` shows what became of it.',
      });
    // They look by themselves too, only not at once.
    await context
      .announce()
      .catch((err: unknown) => logger.warn({ err }, 'new definitions could not be announced'));
    onProgress({ type: 'stage', stage: 'in force', message: 'the new definitions are in force' });
  }
  const notCaptured = await captured(context, schemas);
  if (confirmed && lossy.length > 0) {
    // Nobody may write by definitions that still have what is dropped.
    await context.settled?.(await revisionInForce(pool));
    try {
      await runSteps(pool, lossy, { signal, onStep });
    } catch (thrown) {
      if (changeId !== null) await remark(pool, changeId, `in force, but: ${toHubError(thrown).message}`);
      throw thrown;
    }
  }
  return {
    ok: true,
    changed: changeId !== null || step > 0,
    done: step,
    skipped: confirmed ? [] : lossy,
    notCaptured,
    milliseconds: performance.now() - began,
  };
}

async function captured(
  { capture, onProgress, logger }: ApplyContext,
  schemas: readonly string[],
): Promise<string | null> {
  try {
    await capture(schemas);
    onProgress({ type: 'stage', stage: 'captured', message: 'the tables are in the stream' });
    return null;
  } catch (thrown) {
    const error = toHubError(thrown);
    logger.warn({ err: error }, 'apps are in force, but not captured');
    return error.next === undefined ? error.message : `${error.message} ${error.next}`;
  }
}
