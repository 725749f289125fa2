import type { ConsumeOptions, LogConsumer, Logger } from '#kernel';
import { createPartition, type Partition, type PartitionHost } from './partition.ts';
import { counter, readExtent, type Store } from './store.ts';
import type { Subscription } from './subscription.ts';

const DEFAULT_BATCH_BYTES = 4 * 1024 * 1024;
const DEFAULT_CONCURRENCY = 8;
const DEFAULT_GRACE_MS = 5000;
/** A handler whose partition is to move may finish for this long before its signal aborts. */
const REVOKE_GRACE_MS = 2000;
const RETRY_MS = 500;

export interface ConsumerContext {
  readonly store: Store;
  readonly logger: Logger;
  readonly subscription: Subscription;
  /** Called once the consumer has stopped. */
  readonly stopped: () => void;
}

/** A consumer that its log wakes by `heard` (something was written somewhere) and `sweep` (time to look for dead members). */
export interface EmbeddedConsumer extends LogConsumer {
  heard(): void;
  sweep(): void;
}

/**
 * Delivers the partitions its subscription owns: a ring of ready partitions, each served in turn with one
 * batch, so that a busy one never starves the others.
 */
export function createConsumer(context: ConsumerContext, options: ConsumeOptions): EmbeddedConsumer {
  const { store, logger, subscription } = context;
  const concurrency = options.concurrency ?? DEFAULT_CONCURRENCY;
  const partitions = new Map<string, Partition>();
  const ring: Partition[] = [];
  let running = 0;
  let stopping: Promise<void> | null = null;
  let scheduled = false;
  let syncing = false;
  let syncAgain = true;
  let seenGroups = -1;
  let seenCatalog = -1;
  let seenAppends = -1;
  let idle: (() => void) | null = null;
  let isReady: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => {
    isReady = resolve;
  });

  const report = (error: unknown, at: { topic: string; partition: number }): void => {
    if (options.onError === undefined) logger.error({ err: error, ...at }, 'consumer error');
    else options.onError(error, at);
  };
  const host: PartitionHost = {
    store,
    options,
    bounds: {
      records: options.maxBatchRecords ?? Number.POSITIVE_INFINITY,
      bytes: options.maxBatchBytes ?? DEFAULT_BATCH_BYTES,
    },
    report,
    commit: subscription.commit,
    isStopping: () => stopping !== null,
    woken: (partition) => {
      enqueue(partition);
      pump();
    },
  };

  const enqueue = (partition: Partition): void => {
    if (partition.state !== 'idle') return;
    partition.state = 'ready';
    ring.push(partition);
  };
  const pump = (): void => {
    while (stopping === null && running < concurrency && ring.length > 0) {
      const partition = ring.shift()!;
      if (partition.state === 'ready') void serve(partition);
    }
  };
  const serve = async (partition: Partition): Promise<void> => {
    running += 1;
    // Handlers that resolve at once must not keep the event loop from everything else.
    await new Promise<void>((resolve) => setImmediate(resolve));
    const outcome = await partition.deliver();
    running -= 1;
    if (outcome === 'lost') drop(partition);
    else if (partition.revoked || stopping !== null) partition.state = 'done';
    else if (outcome === 'more') enqueue(partition);
    if (partition.revoked || outcome === 'lost') resync();
    if (running === 0) idle?.();
    pump();
  };
  const drop = (partition: Partition): void => {
    partition.close();
    if (partitions.get(partition.id) === partition) partitions.delete(partition.id);
  };

  const scan = (): void => {
    for (const partition of partitions.values()) {
      if (partition.state !== 'idle' || partition.revoked) continue;
      const { end } = readExtent(store, partition.cursor.topicId, partition.cursor.partition);
      if (end > partition.cursor.position) enqueue(partition);
    }
    pump();
  };

  const resync = (): void => {
    syncAgain = true;
    void runSync();
  };
  const runSync = async (): Promise<void> => {
    if (syncing) return;
    syncing = true;
    try {
      while (syncAgain && stopping === null) {
        syncAgain = false;
        const released = [...partitions.values()].filter((p) => p.revoked && p.settled());
        const synced = await subscription.sync(released.map((p) => p.claim));
        for (const partition of released) drop(partition);
        apply(synced);
        isReady();
        scan();
      }
    } catch (error) {
      logger.error({ err: error, group: options.group }, 'consumer could not synchronise with its group');
      syncAgain = true;
      setTimeout(() => void runSync(), RETRY_MS).unref();
    } finally {
      syncing = false;
      if (stopping !== null && running === 0) idle?.();
    }
  };
  const apply = ({ owned, revoked }: Awaited<ReturnType<Subscription['sync']>>): void => {
    const current = new Set<string>();
    for (const one of owned) {
      const partition = createPartition(host, one);
      current.add(partition.id);
      if (!partitions.has(partition.id)) partitions.set(partition.id, partition);
    }
    for (const partition of partitions.values()) {
      // Fenced: somebody took this member for dead. Its commits no longer count, its handler is told to end.
      if (!current.has(partition.id)) {
        partition.abort();
        drop(partition);
      }
    }
    for (const claim of revoked) {
      const partition = partitions.get(`${claim.topicId}/${claim.partition}/${claim.claim}`);
      if (partition === undefined || partition.revoked) continue;
      partition.revoke(REVOKE_GRACE_MS);
      if (partition.settled()) syncAgain = true;
    }
  };

  const look = (): void => {
    scheduled = false;
    if (stopping !== null) return;
    store.root.resetReadTxn();
    const groups = options.group === null ? 0 : counter(store, 'groups');
    const catalog = counter(store, 'catalog');
    if (groups !== seenGroups || catalog !== seenCatalog) {
      [seenGroups, seenCatalog] = [groups, catalog];
      resync();
    }
    const appends = counter(store, 'appends');
    if (appends === seenAppends) return;
    seenAppends = appends;
    scan();
  };
  const heard = (): void => {
    if (scheduled || stopping !== null) return;
    scheduled = true;
    setImmediate(look);
  };
  heard();

  const stop = async (graceMs: number): Promise<void> => {
    const timer = setTimeout(() => {
      for (const partition of partitions.values()) partition.abort();
    }, graceMs);
    while (running > 0 || syncing) {
      await new Promise<void>((resolve) => {
        idle = resolve;
      });
    }
    clearTimeout(timer);
    for (const partition of partitions.values()) partition.close();
    partitions.clear();
    try {
      await subscription.leave();
    } finally {
      isReady();
      context.stopped();
    }
  };

  return {
    ready,
    heard,
    sweep: () => {
      if (stopping === null && subscription.hasDeadMembers()) resync();
    },
    assignment: () =>
      [...partitions.values()]
        .filter((partition) => !partition.revoked)
        .map(({ cursor }) => ({ topic: cursor.topic, partition: cursor.partition })),
    nudge: (topic) => {
      for (const partition of partitions.values()) {
        if (topic === undefined || partition.cursor.topic === topic) partition.nudge();
      }
    },
    stop: (graceMs = DEFAULT_GRACE_MS) => {
      stopping ??= Promise.resolve().then(() => stop(graceMs));
      for (const partition of partitions.values()) partition.wake();
      return stopping;
    },
  };
}
