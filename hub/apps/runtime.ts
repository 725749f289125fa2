import type { Pool } from 'pg';
import {
  type App,
  type AppsRuntime,
  type AppsWorkerOptions,
  type AppsWorkerStats,
  type ChangeFeed,
  createAppsRuntime,
  createAppsWorker,
  createChangeFeed,
  type Denied,
  prepareAppsLogin,
  watchApps,
} from '#apps';
import { audit, type ChangeLog, type Logger, toHubError } from '#kernel';
import { OPERATIONAL_SOURCE } from './source.ts';

export interface OpenAppsOptions {
  /** As the owner of the hub's state. */
  readonly pool: Pool;
  readonly log: ChangeLog;
  readonly logger: Logger;
  readonly postgresUrl: string;
  /** Login of the engine, where the operator made it himself. */
  readonly url?: string | undefined;
  /** Told once other definitions are in force here. */
  readonly onChange?: () => void;
}

/** null, and a warning with what to do, where the database lets the hub make no login for its apps. */
async function loginOf(pool: Pool, postgresUrl: string, logger: Logger): Promise<string | null> {
  try {
    return await prepareAppsLogin(pool, postgresUrl);
  } catch (thrown) {
    const error = toHubError(thrown);
    if (error.code !== 'APPS_LOGIN_REFUSED') throw thrown;
    logger.error({ err: error, next: error.next }, 'records of apps are not served');
    return null;
  }
}

export interface AppsWork {
  stats(): AppsWorkerStats;
  /** Of the definitions this process works by. */
  revision(): string;
  stop(): Promise<void>;
}

/** Automations by time and webhooks, always by the definitions in force; null as `openApps`. */
export async function startAppsWork(
  options: OpenAppsOptions & Pick<AppsWorkerOptions, 'allowPrivate' | 'retention'>,
): Promise<AppsWork | null> {
  const { pool, log, logger, postgresUrl, allowPrivate, retention } = options;
  const url = options.url ?? (await loginOf(pool, postgresUrl, logger));
  if (url === null) return null;
  let apps: readonly App[] = [];
  const watch = await watchApps({
    pool,
    log,
    logger,
    onChange: (inForce) => {
      apps = inForce.apps;
    },
  });
  apps = watch.first.apps;
  const worker = createAppsWorker({ pool, url, logger, allowPrivate, retention, apps: () => apps });
  worker.start();
  return {
    stats: () => worker.stats(),
    revision: () => watch.revision(),
    async stop() {
      await watch.stop();
      await worker.stop();
    },
  };
}

/** The records engine of one process, always with the definitions in force. */
export interface OpenApps {
  readonly runtime: AppsRuntime;
  readonly feed: ChangeFeed;
  /** The definitions this process works by, and their revision. */
  apps(): readonly App[];
  revision(): string;
  close(): Promise<void>;
}

/**
 * Opens the records engine and follows the definitions in force. null, and a warning with what to do, where
 * the database lets the hub make no login for it: everything else works all the same.
 */
export async function openApps({
  pool,
  log,
  logger,
  postgresUrl,
  url: given,
  onChange,
}: OpenAppsOptions): Promise<OpenApps | null> {
  const url = given ?? (await loginOf(pool, postgresUrl, logger));
  if (url === null) return null;
  const runtime = createAppsRuntime({
    url,
    apps: [],
    logger,
    onDenied: (denied) => noteDenied(pool, logger, denied),
  });
  const feed = createChangeFeed({ log, source: OPERATIONAL_SOURCE, logger });
  let inForce: readonly App[] = [];
  const use = ({ apps }: { readonly apps: readonly App[] }): void => {
    inForce = apps;
    runtime.use(apps);
  };
  const watch = await watchApps({
    pool,
    log,
    logger,
    onChange: (next) => {
      use(next);
      onChange?.();
    },
  });
  use(watch.first);
  return {
    runtime,
    feed,
    apps: () => inForce,
    revision: () => watch.revision(),
    async close() {
      await watch.stop();
      await feed.close();
      await runtime.close();
    },
  };
}

function noteDenied(pool: Pool, logger: Logger, { principal, call, entity, operation, code }: Denied): void {
  audit(pool, {
    principal,
    surface: call.surface,
    action: operation,
    entity,
    outcome: 'denied',
    code,
    ...(call.requestId === undefined ? {} : { requestId: call.requestId }),
  }).catch((err: unknown) => logger.warn({ err }, 'denial not in the audit trail'));
}
