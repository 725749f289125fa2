import type { Pool } from 'pg';
import { type Config, type Logger, pruneAudit, toHubError } from '#kernel';
import { pruneSessions } from './sessions.ts';
import { pruneFailures } from './throttle.ts';

const EVERY_MS = 60 * 60 * 1000;

/** Takes away what is over, now and every hour: sessions, counts of failures, audit entries past their days. */
export function startUpkeep(options: {
  readonly pool: Pool;
  readonly config: Pick<Config, 'identity' | 'audit'>;
  readonly logger: Logger;
}): { stop(): Promise<void> } {
  const { pool, config, logger } = options;
  const run = async (): Promise<void> => {
    try {
      await pruneSessions(pool, config.identity.sessions);
      await pruneFailures(pool);
      const gone = await pruneAudit(pool, config.audit.keepDays);
      if (gone > 0) logger.info({ gone, keepDays: config.audit.keepDays }, 'old audit entries taken away');
    } catch (error) {
      logger.warn({ err: toHubError(error) }, 'upkeep of identities failed; tried again in an hour');
    }
  };
  let running = run();
  const timer = setInterval(() => {
    running = running.then(run);
  }, EVERY_MS);
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
