import type { ConsumeOptions, LogConsumer, Logger } from '#kernel';
import type { Brokers } from './brokers.ts';
import { kafkaError } from './errors.ts';
import { type Fetcher, startFetcher } from './fetcher.ts';
import { joinGroup } from './group.ts';
import { createPart, type Part, type PartHost } from './part.ts';
import { type Assigned, broadcast, type Subscription, type SubscriptionHost } from './subscription.ts';

const DEFAULT_BATCH_BYTES = 4 * 1024 * 1024;
const DEFAULT_CONCURRENCY = 8;
const DEFAULT_GRACE_MS = 5000;
/** A handler whose partition may move gets so long before its signal aborts. */
const REVOKE_GRACE_MS = 2000;
/** What a stop waits for the last commits at most: a cluster that is away must not hold the process. */
const FLUSH_MS = 5000;
const REVOKE_FLUSH_MS = 30_000;

export interface ConsumerContext {
  /** Connections of this consumer alone: closed with it. */
  readonly brokers: Brokers;
  readonly logger: Logger;
  readonly groupPrefix: string;
  readonly sessionMs: number;
  /** Called once the consumer has stopped. */
  readonly stopped: () => void;
}

export interface KafkaConsumer extends LogConsumer {
  /** Topics may have changed. */
  look(): void;
}

/**
 * Delivers the partitions its subscription assigns: a ring of partitions with records, each served in turn with one
 * batch, so that a busy one never starves the others.
 */
export function createConsumer(context: ConsumerContext, options: ConsumeOptions): KafkaConsumer {
  const { brokers, logger } = context;
  const concurrency = options.concurrency ?? DEFAULT_CONCURRENCY;
  const batchBytes = options.maxBatchBytes ?? DEFAULT_BATCH_BYTES;
  const parts = new Map<string, Part>();
  /** Handlers that run, also of partitions that were lost meanwhile. */
  const running = new Set<Part>();
  let ring: Part[] = [];
  let stopping: Promise<void> | null = null;
  let revoking = false;
  const quiet: (() => void)[] = [];
  let isReady: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => {
    isReady = resolve;
  });

  const report = (error: unknown, at: { topic: string; partition: number }): void => {
    const where = { topic: at.topic, partition: at.partition };
    if (options.onError) options.onError(error, where);
    else logger.error({ err: error, ...where }, 'consumer error');
  };
  let saidUnreachable = '';
  const onFailure = (error: unknown): void => {
    const known = kafkaError(error, brokers.names);
    // Said once, not at every try.
    const level = known.message === saidUnreachable ? 'debug' : 'warn';
    saidUnreachable = known.message;
    logger[level]({ code: known.code, group: options.group, next: known.next }, known.message);
  };
  const subscription: Subscription =
    options.group === null
      ? broadcast(brokers, options, onFailure)
      : joinGroup(
          brokers,
          logger,
          {
            groupId: context.groupPrefix + options.group,
            sessionMs: context.sessionMs,
            topics: options.topics,
            from: options.from,
          },
          onFailure,
        );
  const host: PartHost = {
    onBatch: options.onBatch,
    bounds: { records: options.maxBatchRecords ?? Number.POSITIVE_INFINITY, bytes: batchBytes },
    report,
    done: ({ topic, partition, state }, offset) => {
      if (state === 'done') return;
      subscription.commit(topic, partition, offset);
      options.onDone?.({ topic, partition }, offset);
    },
    isStopping: () => stopping !== null,
    woken: () => fetcher.wake(),
  };
  const fetcher: Fetcher = startFetcher(brokers, logger, {
    parts: () => parts.values(),
    partBytes: batchBytes,
    report,
    received: (part) => {
      enqueue(part);
      pump();
    },
  });

  const enqueue = (part: Part): void => {
    if (part.state !== 'idle' || part.revoked || part.buffered().records === 0) return;
    part.state = 'ready';
    ring.push(part);
  };
  const pump = (): void => {
    while (
      stopping === null &&
      !revoking &&
      subscription.mayDeliver() &&
      running.size < concurrency &&
      ring.length > 0
    ) {
      const part = ring.shift()!;
      if (part.state === 'ready') void serve(part);
    }
  };
  const serve = async (part: Part): Promise<void> => {
    running.add(part);
    // Handlers that resolve at once must not keep the event loop from everything else.
    await new Promise<void>((resolve) => setImmediate(resolve));
    await part.deliver();
    running.delete(part);
    enqueue(part);
    fetcher.wake();
    if (running.size === 0) for (const wake of quiet.splice(0)) wake();
    pump();
  };
  const whenQuiet = (): Promise<void> =>
    running.size === 0 ? Promise.resolve() : new Promise((resolve) => quiet.push(resolve));
  const abortAfter = (graceMs: number): NodeJS.Timeout =>
    setTimeout(() => {
      for (const part of running) part.abort();
    }, graceMs);

  const member: SubscriptionHost = {
    assign(assigned: readonly Assigned[]) {
      revoking = false;
      const current = new Set<string>();
      for (const { topic, partition, position } of assigned) {
        const key = `${topic}/${partition}`;
        current.add(key);
        const known = parts.get(key);
        if (known && known.position() === position) {
          known.revoked = false;
          if (known.state !== 'running') enqueue(known);
        } else {
          known?.close();
          parts.set(key, createPart(host, topic, partition, position));
        }
      }
      for (const [key, part] of parts) {
        if (current.has(key)) continue;
        part.abort();
        part.close();
        parts.delete(key);
      }
      ring = ring.filter((part) => part.state === 'ready');
      isReady();
      fetcher.wake();
      pump();
    },
    async revoke() {
      revoking = true;
      for (const part of parts.values()) part.revoked = true;
      const timer = abortAfter(REVOKE_GRACE_MS);
      await whenQuiet();
      clearTimeout(timer);
      await subscription.flush(REVOKE_FLUSH_MS);
    },
    lost() {
      for (const part of parts.values()) {
        part.abort();
        part.close();
      }
      parts.clear();
      ring = [];
    },
    resume: () => pump(),
    owned: () => [...parts.values()].map(({ topic, partition }) => ({ topic, partition })),
  };
  const run = subscription.run(member);

  const stop = async (graceMs: number): Promise<void> => {
    for (const part of parts.values()) part.wake();
    const timer = abortAfter(graceMs);
    await whenQuiet();
    clearTimeout(timer);
    fetcher.stop();
    await subscription.flush(FLUSH_MS);
    await subscription.leave();
    for (const part of parts.values()) part.close();
    parts.clear();
    brokers.close();
    await run;
    isReady();
    context.stopped();
  };

  return {
    ready,
    look: () => subscription.look(),
    assignment: () =>
      [...parts.values()]
        .filter((part) => !part.revoked)
        .map(({ topic, partition }) => ({ topic, partition })),
    nudge: (topic) => {
      for (const part of parts.values()) if (topic === undefined || part.topic === topic) part.wake();
    },
    stop: (graceMs = DEFAULT_GRACE_MS) => {
      stopping ??= Promise.resolve().then(() => stop(graceMs));
      return stopping;
    },
  };
}
