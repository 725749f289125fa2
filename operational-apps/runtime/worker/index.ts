import type { Pool } from 'pg';
import { type Logger, toHubError } from '#kernel';
import type { App } from '../../definitions/index.ts';
import { createModel, type Model } from '../model/model.ts';
import { createSessions } from '../sessions/index.ts';
import { runDue, timed } from './due.ts';
import { pruneOld, type Retention } from './retention.ts';
import { sendWebhooks, type WebhookOptions } from './webhooks.ts';

export {
  type AutomationRun,
  listAutomationRuns,
  listDeliveries,
  resendDeliveries,
  type WebhookDelivery,
} from './deliveries.ts';

export interface AppsWorkerOptions extends Omit<WebhookOptions, 'pool'> {
  /** As the owner of the hub's state and the apps' tables. */
  readonly pool: Pool;
  /** Of the engine's login; see `prepareAppsLogin`. */
  readonly url: string;
  /** The definitions in force; asked before each round. */
  readonly apps: () => readonly App[];
  readonly logger: Logger;
  readonly retention: Retention;
  /** Pause between two looks when there is nothing to do; default 1,000 ms. */
  readonly everyMs?: number;
}

export interface AppsWorkerStats {
  readonly automations: number;
  readonly webhooks: number;
  /** Rounds that broke off. */
  readonly failures: number;
}

export interface AppsWorker {
  start(): void;
  stats(): AppsWorkerStats;
  /** One round at once: automations that are due, webhooks, expired keys. For tests and commands. */
  round(): Promise<void>;
  stop(): Promise<void>;
}

const PRUNE_EVERY_MS = 60_000;
const RETAIN_EVERY_MS = 3_600_000;

/**
 * What apps do as time passes: time-triggered automations, webhooks, and the removal of expired
 * idempotency keys and of notifications and webhooks past their days. Any number of workers share the work. A round that breaks off is logged and the
 * next one tries again.
 */
export function createAppsWorker(options: AppsWorkerOptions): AppsWorker {
  const { pool, logger, everyMs = 1_000 } = options;
  const sessions = createSessions({ url: options.url, logger, connections: 2 });
  const counts = { automations: 0, webhooks: 0, failures: 0 };
  const stopping = new AbortController();
  let running: Promise<void> | null = null;
  let known: { apps: readonly App[]; model: Model } | null = null;
  let prunedAt = 0;
  let retainedAt = 0;

  const modelNow = (): Model => {
    const apps = options.apps();
    if (known?.apps !== apps) known = { apps, model: createModel(apps) };
    return known.model;
  };

  /** True if there may be more at once. */
  async function round(): Promise<boolean> {
    const model = modelNow();
    const ran = timed(model).length > 0 ? await runDue({ pool, model, sessions }) : 0;
    const sent = await sendWebhooks(options);
    counts.automations += ran;
    counts.webhooks += sent;
    if (Date.now() - prunedAt > PRUNE_EVERY_MS) {
      prunedAt = Date.now();
      await pool.query(
        'DELETE FROM bac.idempotency_keys WHERE ctid = ANY (ARRAY(SELECT ctid FROM bac.idempotency_keys WHERE expires_at < now() LIMIT 10000))',
      );
      await pool.query(
        "DELETE FROM bac.attachments WHERE NOT complete AND added_at < now() - interval '1 day'",
      );
    }
    if (Date.now() - retainedAt > RETAIN_EVERY_MS) {
      retainedAt = Date.now();
      const gone = await pruneOld(pool, options.retention);
      if (gone.notifications + gone.deliveries + gone.runs > 0)
        logger.info(gone, 'old notifications, webhooks and runs of automations taken away');
    }
    return ran + sent > 0;
  }

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      let busy = false;
      try {
        busy = await round();
      } catch (error) {
        counts.failures += 1;
        logger.warn({ err: toHubError(error) }, 'a round of the apps broke off');
      }
      if (!busy) await pause(everyMs, stopping.signal);
    }
  }

  return {
    start() {
      running ??= loop();
    },
    stats: () => ({ ...counts }),
    async round() {
      await round();
    },
    async stop() {
      stopping.abort();
      await running;
      await sessions.close();
    },
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
  });
}
