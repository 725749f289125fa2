import type { Pool } from 'pg';
import { type ChangeLog, CONTROL_TOPIC, CONTROL_TOPIC_CONFIG, type Logger } from '#kernel';
import { loadInForce } from './in-force.ts';
import { revisionInForce } from './store.ts';
import type { InForce } from './types.ts';

/** In case a message was lost. */
const RECONCILE_MS = 15_000;

export interface WatchOptions {
  readonly pool: Pool;
  readonly log: ChangeLog;
  readonly logger: Logger;
  /** Called with each new state, one call at a time; if it fails, it is called again later. */
  readonly onChange: (inForce: InForce) => void | Promise<void>;
}

export interface AppsWatch {
  /** In force when the watch began; what came since went to `onChange`. */
  readonly first: InForce;
  /** Of what was last handed to `onChange`. */
  revision(): string;
  stop(): Promise<void>;
}

/**
 * Follows the definitions in force: the state at once, and every later one as soon as the control topic
 * tells of it, or after 15 s where the message was lost.
 */
export async function watchApps({ pool, log, logger, onChange }: WatchOptions): Promise<AppsWatch> {
  await log.ensureTopic(CONTROL_TOPIC, CONTROL_TOPIC_CONFIG);
  let current: string | null = null;
  let last: Promise<void> = Promise.resolve();
  const look = (): Promise<void> => {
    last = last.then(async () => {
      try {
        if (current === null || (await revisionInForce(pool)) === current) return;
        const inForce = await loadInForce(pool);
        tell(logger, inForce);
        await onChange(inForce);
        current = inForce.revision;
      } catch (err) {
        logger.warn({ err }, 'new definitions could not be taken up, will try again');
      }
    });
    return last;
  };
  const consumer = log.consume({
    group: null,
    topics: [CONTROL_TOPIC],
    from: 'end',
    async onBatch({ records }) {
      if (records.some(({ value }) => isAboutApps(value))) await look();
    },
    onError: (err) => logger.warn({ err }, 'control message failed, comes again'),
  });
  try {
    // Listening first: what changes while the state is read is told.
    await consumer.ready;
    const first = await loadInForce(pool);
    tell(logger, first);
    current = first.revision;
    void look(); // a message that came while it was read
    const timer = setInterval(look, RECONCILE_MS);
    return {
      first,
      revision: () => current ?? '0',
      async stop() {
        clearInterval(timer);
        await consumer.stop();
        await last;
      },
    };
  } catch (error) {
    await consumer.stop();
    throw error;
  }
}

function isAboutApps(value: Buffer | null): boolean {
  return value !== null && value.length < 100 && value.toString().includes('"type":"apps"');
}

function tell(logger: Logger, { revision, apps, invalid }: InForce): void {
  logger.info({ revision, apps: apps.map(({ name }) => name) }, 'apps in force');
  for (const [app, problems] of invalid) logger.error({ app, problems }, 'app left out: not valid any more');
}
