import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import {
  acquireLease,
  type ChangeLog,
  CONTROL_TOPIC,
  CONTROL_TOPIC_CONFIG,
  controlBatch,
  HubError,
  type Lease,
  type Logger,
  nearest,
  toHubError,
  userError,
} from '#kernel';
import type { AppFile } from '../definitions/index.ts';
import { applyPrepared, type Prepared, resume } from './apply.ts';
import { loadInForce, nameIn } from './in-force.ts';
import { planChange } from './plan.ts';
import { rollbackTarget } from './rollback.ts';
import { knownApps, versionsOf } from './store.ts';
import type { ApplyProgress, ApplyResult, AppVersion, ChangePlan, InForce } from './types.ts';

/** How long an apply waits for another one, and for the lease of one that was killed. */
const PATIENCE_MS = 15_000;
const LOOK_AGAIN_MS = 100;

export interface RegistryOptions {
  /** Of the operational database, as the owner of its tables. */
  readonly pool: Pool;
  readonly log: ChangeLog;
  readonly logger: Logger;
  /** Name of the source that captures the operational database. */
  readonly source: string;
  /** Has these schemas captured; makes the source if there is none. */
  readonly capture: (schemas: readonly string[]) => Promise<void>;
  /** Resolves when every process has this revision in force, or after a few seconds. */
  readonly settled?: (revision: string) => Promise<void>;
  /** Life of the lease without renewal. Default 6 s. */
  readonly leaseMs?: number;
}

export interface ChangeOptions {
  /** Who asks for it. */
  readonly by: string;
  /** Run the steps that lose values too. */
  readonly confirmDestructive?: boolean;
  /** Id of the plan that was shown: PLAN_CHANGED if there would be another one by now. */
  readonly plan?: string | undefined;
  readonly onProgress?: (progress: ApplyProgress) => void;
}

/** The definitions of the apps, kept in the state, and the one way to change them while everything runs. */
export interface AppRegistry {
  inForce(): Promise<InForce>;
  /** All versions of an app, newest first. Errors: APP_NOT_FOUND (user). */
  versions(app: string): Promise<readonly AppVersion[]>;
  plan(files: readonly AppFile[]): Promise<ChangePlan>;
  /**
   * Carries a change out beside readers and writers; one at a time over all processes. The old
   * definitions stay in force until the database is ready for both; values are lost only on
   * confirmation, and only after every process has turned to the new ones. What a crash interrupts is
   * gone on with by the next apply. Errors (user): APP_INVALID, PLAN_IMPOSSIBLE, PLAN_STEP_FAILED,
   * PLAN_CHANGED; APPS_BUSY (transient).
   */
  apply(files: readonly AppFile[], options: ChangeOptions): Promise<ApplyResult>;
  /** As `plan` and `apply`, of the definition before the last apply. Errors also: ROLLBACK_NOTHING (user). */
  planRollback(app: string): Promise<ChangePlan>;
  rollback(app: string, options: ChangeOptions): Promise<ApplyResult>;
  /**
   * Brings the database in line with what is in force after an upgrade or a crash: goes on with what was
   * interrupted, applies shipped definitions that are new or have changed, unless somebody has put another
   * one in force. Nothing that loses values. What cannot be done is logged; never fails.
   */
  settle(shipped?: readonly AppFile[]): Promise<void>;
  /** Ends what runs after the step it is at; the next apply goes on with it. */
  close(): Promise<void>;
}

export function createAppRegistry(options: RegistryOptions): AppRegistry {
  const { pool, log, logger, source } = options;
  const closing = new AbortController();
  const running = new Set<Promise<unknown>>();

  const exclusive = async <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const lease = await patiently(options, closing.signal);
    const done = work(AbortSignal.any([lease.signal, closing.signal])).finally(() => lease.release());
    running.add(done);
    try {
      return await done;
    } finally {
      running.delete(done);
    }
  };
  const announce = async (): Promise<void> => {
    await log.ensureTopic(CONTROL_TOPIC, CONTROL_TOPIC_CONFIG);
    await log.append([controlBatch({ type: 'apps' })]);
  };
  const known = async (app: string): Promise<readonly AppVersion[]> => {
    const versions = await versionsOf(pool, app);
    if (versions.length > 0) return versions;
    const near = nearest(app, await knownApps(pool));
    throw userError(
      'APP_NOT_FOUND',
      `There is no app "${app}".`,
      near ? `Did you mean "${near}"?` : '`bac app list` shows the apps.',
    );
  };
  const change = (
    prepare: () => Promise<Prepared>,
    { by, confirmDestructive = false, plan, onProgress = () => {} }: ChangeOptions,
  ): Promise<ApplyResult> =>
    exclusive(async (signal) => {
      const context = { ...options, announce, signal, onProgress };
      await resume(context);
      const prepared = await prepare();
      if (plan !== undefined && prepared.plan.id !== plan)
        throw userError(
          'PLAN_CHANGED',
          'Since the plan was shown, the database or the apps in force have changed.',
          'Look at the plan again.',
        );
      return applyPrepared(context, { ...prepared, by, confirmed: confirmDestructive });
    });
  const fresh = async (files: readonly AppFile[]): Promise<Prepared> => ({
    ...(await planChange(pool, files, source)),
    origin: 'applied',
    restores: null,
  });
  const back = async (app: string): Promise<Prepared> => {
    const { file, restores } = rollbackTarget(app, await known(app));
    return { ...(await planChange(pool, [file], source)), origin: 'applied', restores };
  };
  return {
    inForce: () => loadInForce(pool),
    versions: known,
    plan: async (files) => (await fresh(files)).plan,
    apply: (files, asked) => change(() => fresh(files), asked),
    planRollback: async (app) => (await back(app)).plan,
    rollback: (app, asked) => change(() => back(app), asked),
    async settle(shipped = []) {
      try {
        await exclusive(async (signal) => {
          const context = { ...options, announce, signal, onProgress: () => {} };
          await resume(context);
          const { versions, invalid } = await loadInForce(pool);
          const renewed = shipped.filter((file) => {
            const current = versions.find(({ app }) => app === nameIn(file));
            return current === undefined || (current.origin === 'shipped' && current.yaml !== file.content);
          });
          const names = new Set(renewed.map(nameIn));
          const others = versions
            .filter(({ app }) => !names.has(app) && !invalid.has(app))
            .map(({ file, yaml }) => ({ file, content: yaml }));
          if (renewed.length + others.length === 0) return;
          const planned = await planChange(pool, [...renewed, ...others], source);
          const change = { ...planned, origin: 'shipped' as const, restores: null };
          await applyPrepared(context, { ...change, by: 'hub', confirmed: false });
        });
      } catch (thrown) {
        if (!closing.signal.aborted) logger.warn({ err: toHubError(thrown) }, 'apps left as they were');
      }
    },
    async close() {
      closing.abort(new HubError('CLOSING', 'The hub is stopping.', { disposition: 'transient' }));
      await Promise.allSettled(running);
    },
  };
}

async function patiently({ pool, leaseMs }: RegistryOptions, signal: AbortSignal): Promise<Lease> {
  const until = performance.now() + PATIENCE_MS;
  const refuse = (): HubError =>
    new HubError('APPS_BUSY', 'Another change of apps is being carried out.', {
      disposition: 'transient',
      next: 'Try again when it is done; `bac app list` shows it.',
    });
  for (;;) {
    signal.throwIfAborted();
    try {
      return await acquireLease({ pool, name: 'apps', holder: randomUUID(), refuse, ttlMs: leaseMs });
    } catch (error) {
      if (toHubError(error).code !== 'APPS_BUSY' || performance.now() > until) throw error;
    }
    await sleep(LOOK_AGAIN_MS, undefined, { signal });
  }
}
