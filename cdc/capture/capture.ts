import { CONTROL_TOPIC, CONTROL_TOPIC_CONFIG, type LogConsumer } from '#kernel';
import { changedSource } from './control.ts';
import { SourceRunner } from './runner.ts';
import { sourceNames } from './source-rows.ts';
import type { Capture, CaptureOptions } from './types.ts';

/** Sources are also looked for this often, in case a control message was lost. */
const RECONCILE_MS = 15_000;

/** The capture role: one runner per source, started and stopped as `bac.sources` says. See Capture. */
export function createCapture(options: CaptureOptions): Capture {
  const runners = new Map<string, SourceRunner>();
  let consumer: LogConsumer | null = null;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const attend = (name: string): void => {
    if (stopped || runners.has(name)) return;
    const runner = new SourceRunner(options, name);
    runners.set(name, runner);
    void runner.done.then(() => {
      runners.delete(name);
      // Removed and added again under the same name meanwhile: nobody else would look.
      if (!stopped) return reconcileSafely();
    });
  };

  const reconcile = async (): Promise<void> => {
    for (const name of await sourceNames(options.pool)) {
      const runner = runners.get(name);
      if (runner) await runner.changed();
      else attend(name);
    }
  };
  const reconcileSafely = (): Promise<void> =>
    reconcile().catch((err) => options.logger.warn({ err }, 'sources could not be read, will try again'));

  return {
    async start() {
      await options.log.ensureTopic(CONTROL_TOPIC, CONTROL_TOPIC_CONFIG);
      consumer = options.log.consume({
        group: null,
        topics: [CONTROL_TOPIC],
        from: 'end',
        async onBatch({ records }) {
          const names = new Set(records.map(changedSource).filter((name) => name !== null));
          for (const name of names) {
            const runner = runners.get(name);
            if (runner) await runner.changed();
            else attend(name);
          }
        },
        onError: (err) => options.logger.warn({ err }, 'control message failed, comes again'),
      });
      await consumer.ready;
      await reconcileSafely();
      timer = setInterval(reconcileSafely, RECONCILE_MS);
    },
    async stop() {
      stopped = true;
      clearInterval(timer);
      await consumer?.stop();
      await Promise.all([...runners.values()].map((runner) => runner.stop()));
    },
    stats: () => ({
      instance: options.instance,
      sources: Object.fromEntries([...runners].map(([name, runner]) => [name, runner.meter.stats()])),
    }),
  };
}
