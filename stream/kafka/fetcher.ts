import type { Logger } from '#kernel';
import { offsetLost } from '../offset-lost.ts';
import { decodeBatches } from './batch.ts';
import type { Brokers } from './brokers.ts';
import { CODE } from './errors.ts';
import type { Part } from './part.ts';
import { type FetchedPartition, fetchRequest, offsetsRequest } from './requests.ts';

export interface FetcherHost {
  readonly parts: () => Iterable<Part>;
  /** Fetched ahead per partition up to about this. */
  readonly partBytes: number;
  readonly report: (error: unknown, at: { topic: string; partition: number }) => void;
  /** Records have come. */
  readonly received: (part: Part) => void;
}

export interface Fetcher {
  /** Assignments, room in buffers or the end of a back-off: look again for what to fetch. */
  wake(): void;
  stop(): void;
}

const WAIT_MS = 250;
/** While something is not asked for because its buffer is full or its handler failed: it may be wanted any moment. */
const SHORT_WAIT_MS = 100;
const REQUEST_BYTES = 8 * 1024 * 1024;
const PARTITION_BYTES = 1024 * 1024;
/** What may wait for handlers in all partitions together. */
const AHEAD_BYTES = 64 * 1024 * 1024;
const FIRST_BACK_OFF_MS = 50;
const LAST_BACK_OFF_MS = 1000;

/** One long poll per broker for everything it leads and that has room; nothing is fetched that has none. */
export function startFetcher(brokers: Brokers, logger: Logger, host: FetcherHost): Fetcher {
  const loops = new Set<number>();
  let stopped = false;
  let failures = 0;
  let finding = false;
  let turn = 0;
  let signal: () => void = () => undefined;
  let signalled = new Promise<void>((resolve) => {
    signal = resolve;
  });

  const ahead = (): number => {
    let bytes = 0;
    for (const part of host.parts()) bytes += part.buffered().bytes;
    return bytes;
  };
  const hasRoom = (part: Part): boolean =>
    !part.revoked &&
    part.state !== 'waiting' &&
    part.state !== 'done' &&
    part.buffered().bytes < host.partBytes;
  const pause = (): Promise<void> => {
    failures += 1;
    const ms = Math.min(LAST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** Math.min(failures - 1, 6));
    return new Promise((resolve) => setTimeout(resolve, ms));
  };

  const ensure = (): void => {
    if (stopped) return;
    const unknown = new Set<string>();
    for (const part of host.parts()) {
      const leader = brokers.leader(part.topic, part.partition);
      if (leader === undefined) unknown.add(part.topic);
      else if (!loops.has(leader)) {
        loops.add(leader);
        void loop(leader);
      }
    }
    if (unknown.size > 0) void findLeaders([...unknown]);
  };
  const findLeaders = async (topics: readonly string[]): Promise<void> => {
    if (finding) return;
    finding = true;
    try {
      const metadata = await brokers.refresh(topics);
      for (const { topic, error } of metadata.topics) {
        if (error !== CODE.UNKNOWN_TOPIC_OR_PARTITION) continue;
        for (const part of host.parts()) if (part.topic === topic) part.gone = true;
      }
      if (topics.some((topic) => brokers.leader(topic, 0) === undefined)) await pause();
      else failures = 0;
    } catch (error) {
      logger.debug({ err: error }, 'kafka: no metadata');
      await pause();
    } finally {
      finding = false;
      ensure();
    }
  };

  const loop = async (leader: number): Promise<void> => {
    try {
      while (!stopped) {
        const mine = [...host.parts()].filter(
          (part) => brokers.leader(part.topic, part.partition) === leader,
        );
        if (mine.length === 0) return;
        const wanted = ahead() < AHEAD_BYTES ? mine.filter(hasRoom) : [];
        if (wanted.length === 0) {
          await signalled;
          continue;
        }
        // Whoever is named first is served first: take turns.
        turn = (turn + 1) % wanted.length;
        const order = [...wanted.slice(turn), ...wanted.slice(0, turn)];
        await fetch(leader, order, wanted.length < mine.length ? SHORT_WAIT_MS : WAIT_MS);
      }
    } catch (error) {
      if (stopped) return;
      logger.debug({ err: error, leader }, 'kafka: fetching failed');
      for (const part of host.parts())
        if (brokers.leader(part.topic, part.partition) === leader) brokers.forget(part.topic);
      await pause();
    } finally {
      loops.delete(leader);
      ensure();
    }
  };
  const fetch = async (leader: number, wanted: readonly Part[], waitMs: number): Promise<void> => {
    const asked = new Map(
      wanted.map((part) => [`${part.topic}/${part.partition}`, { part, offset: part.next() }]),
    );
    const link = await brokers.node(leader);
    const answers = await link.send(
      fetchRequest(
        [...asked.values()].map(({ part: { topic, partition }, offset }) => ({ topic, partition, offset })),
        { waitMs, totalBytes: REQUEST_BYTES, partitionBytes: PARTITION_BYTES },
      ),
    );
    let isStale = false;
    for (const answer of answers) {
      const one = asked.get(`${answer.topic}/${answer.partition}`);
      if (one === undefined || one.part.state === 'done') continue;
      if (answer.error === 0) await take(one.part, one.offset, answer);
      else if (answer.error === CODE.OFFSET_OUT_OF_RANGE) await recover(leader, one.part, one.offset);
      else {
        isStale = true;
        brokers.forget(answer.topic);
      }
    }
    if (isStale) await pause();
    else failures = 0;
  };
  const take = async (part: Part, from: number, answer: FetchedPartition): Promise<void> => {
    if (part.gone) {
      part.gone = false;
      part.seek(answer.start);
      return;
    }
    if (answer.set.length === 0) return;
    try {
      const { records, next } = await decodeBatches(
        answer.set,
        from,
        `${part.topic} partition ${part.partition}`,
      );
      part.receive(from, records, next, answer.end);
      if (records.length > 0) host.received(part);
    } catch (error) {
      host.report(error, part);
      await pause();
    }
  };
  /** The position is not in the log any more: retention was faster, or the topic is another one than before. */
  const recover = async (leader: number, part: Part, from: number): Promise<void> => {
    const { topic, partition } = part;
    const link = await brokers.node(leader);
    const [first] = await link.send(offsetsRequest([{ topic, partition }], 'start'));
    if (first!.error !== 0 || part.next() !== from) return;
    if (from < first!.offset) host.report(offsetLost(topic, partition, from, first!.offset), part);
    else
      logger.warn(
        { topic, partition, from },
        'kafka: the topic is another one than before, read from its start',
      );
    part.seek(first!.offset);
  };

  return {
    wake() {
      signal();
      signalled = new Promise<void>((resolve) => {
        signal = resolve;
      });
      ensure();
    },
    stop() {
      stopped = true;
      signal();
    },
  };
}
