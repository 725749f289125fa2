import type { ConsumeOptions } from '#kernel';
import { offsetLost } from '../offset-lost.ts';
import type { Claim, Owned } from './membership.ts';
import { type Bounds, type Cursor, readFrom } from './reader.ts';
import { readExtent, type Store } from './store.ts';

const FIRST_BACK_OFF_MS = 50;
const LAST_BACK_OFF_MS = 5000;

export interface PartitionHost {
  readonly store: Store;
  readonly options: ConsumeOptions;
  readonly bounds: Bounds;
  readonly report: (error: unknown, at: { topic: string; partition: number }) => void;
  /** False: the partition has been taken over by another member. */
  readonly commit: (claim: Claim, offset: number) => Promise<boolean>;
  readonly isStopping: () => boolean;
  /** A back-off ended; the partition is idle again. */
  readonly woken: (partition: Partition) => void;
}

/** `idle` nothing known to wait, `ready` in the ring, `running`, `waiting` for the end of a back-off, `done`. */
export type PartitionState = 'idle' | 'ready' | 'running' | 'waiting' | 'done';

/** `more` there may be more to deliver; `end` nothing left; `failed` a back-off runs; `lost` the claim is gone. */
export type Outcome = 'more' | 'end' | 'failed' | 'lost';

/** One partition a consumer owns under one claim. */
export interface Partition {
  /** Topic id, partition and claim. */
  readonly id: string;
  readonly claim: Claim;
  readonly cursor: Cursor;
  state: PartitionState;
  revoked: boolean;
  /** Delivers one batch and commits it. Never rejects. */
  deliver(): Promise<Outcome>;
  /** No handler runs, so that the partition can be given back. */
  settled(): boolean;
  /** To be given back: nothing more is delivered; the running handler is told after `graceMs`. */
  revoke(graceMs: number): void;
  abort(): void;
  /** Ends a back-off of the handler or of a commit. */
  nudge(): void;
  wake(): void;
  close(): void;
}

export function createPartition(host: PartitionHost, owned: Owned): Partition {
  const { store, options } = host;
  const { topic, topicId, partition, claim } = owned;
  const at = { topic, partition };
  const cursor: Cursor = { topic, topicId, partition, position: owned.position, leftover: [] };
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  let grace: NodeJS.Timeout | undefined;
  let controller = new AbortController();
  let wakeCommit: (() => void) | undefined;

  const backOff = (): number =>
    Math.min(LAST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** Math.min(failures - 1, 10));
  const waitForRetry = (): void => {
    failures += 1;
    self.state = 'waiting';
    timer = setTimeout(wake, backOff());
  };
  const wake = (): void => {
    wakeCommit?.();
    if (self.state !== 'waiting') return;
    clearTimeout(timer);
    self.state = 'idle';
    if (!self.revoked && !host.isStopping()) host.woken(self);
  };

  /** The handler has resolved, so it is not called again: a commit that fails is tried until it succeeds. */
  const commit = async (offset: number): Promise<boolean> => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await host.commit(self.claim, offset);
      } catch (error) {
        host.report(error, at);
        if (host.isStopping()) return true;
        await new Promise<void>((resolve) => {
          wakeCommit = resolve;
          timer = setTimeout(
            resolve,
            Math.min(LAST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** Math.min(tries, 7)),
          );
        });
        wakeCommit = undefined;
      }
    }
  };

  const deliver = async (): Promise<Outcome> => {
    if (self.revoked || host.isStopping()) return 'end';
    self.state = 'running';
    controller = new AbortController();
    try {
      store.root.resetReadTxn();
      const extent = readExtent(store, topicId, partition);
      if (cursor.position < extent.start) {
        host.report(offsetLost(topic, partition, cursor.position, extent.start), at);
        cursor.position = extent.start;
      }
      const records = readFrom(store, cursor, host.bounds);
      if (records.length === 0) {
        self.state = 'idle';
        return 'end';
      }
      await options.onBatch({ topic, partition, records, end: extent.end }, controller.signal);
      failures = 0;
      cursor.position = records.at(-1)!.offset + 1;
    } catch (error) {
      if (!controller.signal.aborted) host.report(error, at);
      cursor.leftover = [];
      waitForRetry();
      return 'failed';
    }
    const kept = await commit(cursor.position);
    self.state = 'idle';
    if (!kept) return 'lost';
    options.onDone?.(at, cursor.position);
    return 'more';
  };

  const self: Partition = {
    id: `${topicId}/${partition}/${claim}`,
    claim: { topicId, partition, claim },
    cursor,
    state: 'idle',
    revoked: false,
    deliver,
    settled: () => self.state !== 'running',
    revoke(graceMs) {
      self.revoked = true;
      if (self.state === 'running') grace = setTimeout(() => controller.abort(), graceMs);
      else clearTimeout(timer);
    },
    abort: () => controller.abort(),
    nudge: wake,
    wake,
    close() {
      clearTimeout(timer);
      clearTimeout(grace);
      self.state = 'done';
    },
  };
  return self;
}
