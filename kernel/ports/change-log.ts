/**
 * ChangeLog: the durable, partitioned, replayable log all changes flow through.
 * Adapters: stream/embedded (LMDB), stream/kafka (kafkajs). Contract suite: kernel/contracts/change-log.ts.
 *
 * Promises every adapter keeps:
 * - `append` resolves only when the records are durable (survive kill -9 of every process, and on
 *   Kafka the loss of a broker). Records of one call to one topic-partition keep their order.
 * - Offsets of a partition grow by at least one per record, starting at 0.
 * - A group's committed offset moves only when a handler has resolved. After any crash a record is
 *   delivered again unless its handler had resolved: at least once, in order per partition.
 * - Nothing is buffered without bound: `append` back-pressures by its promise, `consume` by its handler.
 */

export interface LogRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export interface StoredRecord extends LogRecord {
  readonly offset: number;
}

export interface TopicConfig {
  readonly partitions: number;
  /** Records older than this may be deleted; undefined = kept. */
  readonly retentionMs?: number;
  /** Oldest records may be deleted while a partition is larger than this; undefined = unbounded. */
  readonly retentionBytes?: number;
}

export interface TopicInfo extends TopicConfig {
  readonly topic: string;
  /** By partition: first available offset, next offset to be written, stored bytes. */
  readonly extents: readonly { readonly start: number; readonly end: number; readonly bytes: number }[];
}

export interface TopicBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly LogRecord[];
}

export interface Appended {
  readonly topic: string;
  readonly partition: number;
  /** Offset that the next record will get. */
  readonly end: number;
}

export interface DeliveredBatch {
  readonly topic: string;
  readonly partition: number;
  /** In offset order, never empty. */
  readonly records: readonly StoredRecord[];
  /**
   * End offset of the partition when this batch was fetched: `end - 1 - last offset` = what still waits. Offsets
   * at the end that are known to hold no record (a transaction's mark) do not wait.
   */
  readonly end: number;
}

export interface ConsumeOptions {
  /**
   * Consumer group: members share the partitions of its topics. null = no group: this consumer gets
   * every partition, starts at `from` and commits nothing (broadcast).
   */
  readonly group: string | null;
  /** Topics by exact name or by prefix (`{ prefix: 'northwind.' }`); topics created later are picked up. */
  readonly topics: readonly (string | { readonly prefix: string })[];
  /** Where a partition without a committed offset starts. Default `start`. */
  readonly from?: 'start' | 'end';
  /** Upper bound of one batch in bytes of keys and values (one larger record still comes, alone). Default 4 MiB. */
  readonly maxBatchBytes?: number;
  readonly maxBatchRecords?: number;
  /** Handlers of different partitions run at once up to this many. Default 8. */
  readonly concurrency?: number;
  /**
   * Called with everything waiting in one partition (bounded as above), one call at a time per
   * partition. Resolved = done: the offset after the batch is committed. Rejected = the same records
   * come again after a back-off (50 ms doubling to 5 s), other partitions go on.
   * `signal` aborts when the partition is taken away or the consumer stops.
   */
  readonly onBatch: (batch: DeliveredBatch, signal: AbortSignal) => Promise<void>;
  /**
   * Everything below `position` is done: after each batch, and when offsets were passed that hold no record, which
   * no batch tells. In order per partition; a position that was told may not be committed yet.
   */
  readonly onDone?: (at: { topic: string; partition: number }, position: number) => void;
  /** A handler failed; for logs and metrics. The consumer itself goes on. */
  readonly onError?: (error: unknown, at: { topic: string; partition: number }) => void;
}

export interface LogConsumer {
  /** Resolves once the first assignment is known and fetching runs. */
  readonly ready: Promise<void>;
  assignment(): readonly { readonly topic: string; readonly partition: number }[];
  /** Ends a handler's back-off now: something it waited for has happened. */
  nudge(topic?: string): void;
  /** Stops fetching, waits for running handlers (their signal aborts after `graceMs`, default 5000), leaves the group. */
  stop(graceMs?: number): Promise<void>;
}

export interface PartitionLag {
  readonly topic: string;
  readonly partition: number;
  readonly committed: number;
  readonly end: number;
  readonly lag: number;
}

export interface ChangeLog {
  /** Creates the topic or widens it: never removes partitions; retention becomes what is given. Idempotent. */
  ensureTopic(topic: string, config: TopicConfig): Promise<void>;
  deleteTopic(topic: string): Promise<void>;
  topics(prefix?: string): Promise<readonly TopicInfo[]>;
  /** Durable when resolved; all batches of a call become visible together on the embedded log, per partition on Kafka. */
  append(batches: readonly TopicBatch[]): Promise<readonly Appended[]>;
  consume(options: ConsumeOptions): LogConsumer;
  /** Records of one partition from `offset` on, bounded; empty at the end. For inspection and dead-letter replay. */
  read(
    topic: string,
    partition: number,
    offset: number,
    maxRecords: number,
  ): Promise<readonly StoredRecord[]>;
  lag(group: string): Promise<readonly PartitionLag[]>;
  /** Deletes what retention allows to delete; the embedded log calls it by itself too. */
  enforceRetention(): Promise<void>;
  close(): Promise<void>;
}

/** Partition of a key: FNV-1a over its bytes, the same in every adapter and process. */
export function partitionOf(key: Buffer, partitions: number): number {
  if (partitions === 1) return 0;
  let hash = 0x811c9dc5;
  for (const byte of key) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % partitions;
}
