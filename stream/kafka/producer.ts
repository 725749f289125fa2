import { setTimeout as pause } from 'node:timers/promises';
import type { Appended, HubError, Logger, LogRecord, TopicBatch } from '#kernel';
import { HubError as LogError, userError } from '#kernel';
import { encodeBatch, type ProducerIdentity, recordSize } from './batch.ts';
import type { Brokers } from './brokers.ts';
import { CODE, closed, codeOf, kafkaError, ProtocolError, unknownPartition, unknownTopic } from './errors.ts';
import { offsetsRequest, type ProduceAnswer, produceRequest } from './requests.ts';

export interface Producer {
  append(batches: readonly TopicBatch[]): Promise<readonly Appended[]>;
  close(): void;
}

/** Stays below a broker's default limit of a batch, whoever created the topic. */
const BATCH_BYTES = 900_000;
const REQUEST_BYTES = 8 * 1024 * 1024;
const PRODUCE_MS = 15_000;
const FIRST_BACK_OFF_MS = 50;
const LAST_BACK_OFF_MS = 1000;
/** A topic that was just created may be unknown to some brokers for this long. */
const UNKNOWN_GRACE_MS = 1500;
const MAX_SEQUENCE = 2 ** 31;

/** Part of an append that goes into one batch. */
interface Piece {
  readonly records: readonly LogRecord[];
  readonly bytes: number;
  done(base: number): void;
  fail(error: HubError): void;
}

/** One partition: batches leave one after the other, each until it is acknowledged. */
interface Lane {
  readonly topic: string;
  readonly partition: number;
  readonly queue: Piece[];
  /** Frozen until its fate is known: a retry must be the same batch under the same sequence. */
  sending: { readonly pieces: readonly Piece[]; readonly count: number; batch: Buffer | null } | null;
  identity: ProducerIdentity | null;
  sequence: number;
  failures: number;
  failingSince: number | null;
  unknownSince: number | null;
  /**
   * Under way, waiting for metadata, or for the end of its back-off: whoever took it out of the ring brings it
   * back, and nobody else does.
   */
  away: boolean;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Idempotent producer: acks from all replicas in sync; per partition one batch under way, repeated unchanged until
 * the broker has said that it has it, so that it is neither doubled nor overtaken, whichever broker leads. After
 * `deliveryTimeoutMs` of failures an append rejects, together with everything behind it in its partition.
 */
export function openProducer(brokers: Brokers, logger: Logger, deliveryTimeoutMs: number): Producer {
  const lanes = new Map<string, Lane>();
  const ready = new Set<Lane>();
  const busy = new Set<number>();
  let identity: Promise<ProducerIdentity> | null = null;
  let current: ProducerIdentity | null = null;
  let refreshing: Promise<void> | null = null;
  let isClosed = false;

  const laneOf = (topic: string, partition: number): Lane => {
    const key = `${topic}/${partition}`;
    let lane = lanes.get(key);
    if (!lane) {
      lane = {
        topic,
        partition,
        queue: [],
        sending: null,
        identity: null,
        sequence: 0,
        failures: 0,
        failingSince: null,
        unknownSince: null,
        away: false,
        timer: undefined,
      };
      lanes.set(key, lane);
    }
    return lane;
  };
  /** Out of the ring of those that can go on; each lane that was taken is given back, or waits, or gives up. */
  const takeOut = (lane: Lane): void => {
    ready.delete(lane);
    lane.away = true;
  };
  const giveBack = (lane: Lane): void => {
    lane.away = false;
    if (lane.sending || lane.queue.length > 0) ready.add(lane);
  };
  const wake = (lane: Lane): void => {
    lane.timer = undefined;
    giveBack(lane);
    pump();
  };
  const wait = (lane: Lane): void => {
    lane.failures += 1;
    lane.timer = setTimeout(() => wake(lane), backOffMs(lane.failures));
  };

  /** Groups what is ready by leader; one request under way per broker, the next takes all that has come meanwhile. */
  const pump = (): void => {
    if (isClosed) return;
    const byLeader = new Map<number, Lane[]>();
    const unknown: Lane[] = [];
    for (const lane of ready) {
      const leader = brokers.leader(lane.topic, lane.partition);
      if (leader === undefined) unknown.push(lane);
      else if (!busy.has(leader)) {
        const others = byLeader.get(leader);
        if (others) others.push(lane);
        else byLeader.set(leader, [lane]);
      }
    }
    if (unknown.length > 0) void findLeaders(unknown);
    for (const [leader, waiting] of byLeader) {
      const taken: Lane[] = [];
      let bytes = 0;
      for (const lane of waiting) {
        if (bytes > REQUEST_BYTES) break;
        bytes += take(lane);
        taken.push(lane);
        takeOut(lane);
      }
      busy.add(leader);
      void send(leader, taken).finally(() => {
        busy.delete(leader);
        pump();
      });
    }
  };
  const take = (lane: Lane): number => {
    if (!lane.sending) {
      const pieces = [lane.queue.shift()!];
      let bytes = pieces[0]!.bytes;
      while (lane.queue.length > 0 && bytes + lane.queue[0]!.bytes <= BATCH_BYTES) {
        bytes += lane.queue[0]!.bytes;
        pieces.push(lane.queue.shift()!);
      }
      const count = pieces.reduce((sum, piece) => sum + piece.records.length, 0);
      lane.sending = { pieces, count, batch: null };
    }
    return lane.sending.pieces.reduce((sum, piece) => sum + piece.bytes, 0);
  };

  const findLeaders = (unknown: readonly Lane[]): Promise<void> => {
    refreshing ??= (async () => {
      // Whoever waits for this metadata waits out of the ring.
      for (const lane of unknown) takeOut(lane);
      try {
        const metadata = await brokers.refresh([...new Set(unknown.map((lane) => lane.topic))]);
        const missing = new Set(
          metadata.topics
            .filter(({ error }) => error === CODE.UNKNOWN_TOPIC_OR_PARTITION)
            .map(({ topic }) => topic),
        );
        const denied = metadata.topics.find(({ error }) => error === CODE.TOPIC_AUTHORIZATION_FAILED);
        for (const lane of unknown) {
          if (denied?.topic === lane.topic) failed(lane, new ProtocolError('Metadata', denied.error));
          else if (missing.has(lane.topic)) unknownYet(lane, unknownTopic(lane.topic));
          else if (lane.partition >= (brokers.partitions(lane.topic) ?? Number.POSITIVE_INFINITY))
            unknownYet(
              lane,
              unknownPartition(lane.topic, lane.partition, brokers.partitions(lane.topic) ?? 0),
            );
          else if (brokers.leader(lane.topic, lane.partition) === undefined)
            failed(lane, new LogError('LOG_UNREACHABLE', 'the partition has no leader now'));
          else giveBack(lane);
        }
      } catch (error) {
        for (const lane of unknown) failed(lane, error);
      } finally {
        refreshing = null;
        pump();
      }
    })();
    return refreshing;
  };
  const unknownYet = (lane: Lane, error: HubError): void => {
    lane.unknownSince ??= performance.now();
    if (performance.now() - lane.unknownSince > UNKNOWN_GRACE_MS) giveUp(lane, error);
    else wait(lane);
  };

  const identify = (): Promise<ProducerIdentity> => {
    identity ??= brokers
      .any()
      .then((link) => link.call((broker) => broker.initProducerId({ transactionalId: null })))
      .then((given) => ({ id: BigInt(given.producerId), epoch: given.producerEpoch }))
      .catch((error: unknown) => {
        identity = null;
        throw error;
      });
    return identity;
  };
  /** The next batch of this lane is the first of another producer: sequences used before must not come again. */
  const beginAnew = (lane: Lane): void => {
    if (lane.identity && lane.identity === current) identity = null;
    lane.identity = null;
  };
  const prepare = async (lane: Lane): Promise<Buffer> => {
    const sending = lane.sending!;
    if (!lane.identity) {
      lane.identity = await identify();
      current = lane.identity;
      lane.sequence = 0;
      sending.batch = null;
    }
    sending.batch ??= await encodeBatch(
      sending.pieces.flatMap((piece) => piece.records),
      lane.identity,
      lane.sequence,
    );
    return sending.batch;
  };

  const send = async (leader: number, taken: readonly Lane[]): Promise<void> => {
    try {
      const batches: { topic: string; partition: number; batch: Buffer }[] = [];
      for (const lane of taken)
        batches.push({ topic: lane.topic, partition: lane.partition, batch: await prepare(lane) });
      const link = await brokers.node(leader);
      const answers = await link.send(produceRequest(batches, PRODUCE_MS));
      const byLane = new Map(answers.map((answer) => [`${answer.topic}/${answer.partition}`, answer]));
      for (const lane of taken) settle(lane, byLane.get(`${lane.topic}/${lane.partition}`));
    } catch (error) {
      for (const lane of taken) {
        brokers.forget(lane.topic);
        failed(lane, error);
      }
    }
  };
  const settle = (lane: Lane, answer: ProduceAnswer | undefined): void => {
    // Closed meanwhile.
    if (!lane.sending) return;
    const code = answer?.error ?? -1;
    if (answer && (code === 0 || code === CODE.DUPLICATE_SEQUENCE)) {
      delivered(lane, answer.base);
    } else if (code === CODE.MESSAGE_TOO_LARGE || code === CODE.RECORD_LIST_TOO_LARGE) {
      giveUp(lane, tooLarge(lane));
    } else {
      brokers.forget(lane.topic);
      if (
        code === CODE.OUT_OF_ORDER_SEQUENCE ||
        code === CODE.UNKNOWN_PRODUCER_ID ||
        code === CODE.INVALID_PRODUCER_EPOCH
      ) {
        // The broker has lost this producer's state: begin anew. What it may have stored already comes twice.
        logger.warn({ topic: lane.topic, partition: lane.partition, code }, 'kafka producer begins anew');
        beginAnew(lane);
      }
      failed(lane, new ProtocolError('Produce', code));
    }
  };
  const delivered = (lane: Lane, base: number): void => {
    const { pieces, count } = lane.sending!;
    lane.sending = null;
    lane.sequence = (lane.sequence + count) % MAX_SEQUENCE;
    lane.failures = 0;
    lane.failingSince = null;
    lane.unknownSince = null;
    let at = base;
    for (const piece of pieces) {
      piece.done(at);
      at += piece.records.length;
    }
    giveBack(lane);
  };
  const failed = (lane: Lane, error: unknown): void => {
    if (isClosed) {
      giveUp(lane, closed());
      return;
    }
    lane.failingSince ??= performance.now();
    const known = kafkaError(error, brokers.names);
    if (isHopeless(error, known) || performance.now() - lane.failingSince > deliveryTimeoutMs)
      giveUp(lane, known);
    else wait(lane);
  };
  /** Nothing behind a batch whose fate is unknown may be stored before its sender knows. */
  const giveUp = (lane: Lane, error: HubError): void => {
    const pieces = [...(lane.sending?.pieces ?? []), ...lane.queue];
    lane.queue.length = 0;
    if (lane.sending) beginAnew(lane);
    lane.sending = null;
    lane.failures = 0;
    lane.failingSince = null;
    lane.unknownSince = null;
    ready.delete(lane);
    lane.away = false;
    clearTimeout(lane.timer);
    lane.timer = undefined;
    for (const piece of pieces) piece.fail(error);
  };

  const enqueue = (batch: TopicBatch): Promise<Appended> => {
    const { topic, partition } = batch;
    const lane = laneOf(topic, partition);
    const cuts = cut(batch.records);
    if (cuts.length === 0) return endOf(lane);
    const promises = cuts.map(
      ({ records, bytes }) =>
        new Promise<number>((resolve, reject) => {
          lane.queue.push({ records, bytes, done: (base) => resolve(base + records.length), fail: reject });
        }),
    );
    if (!lane.away) ready.add(lane);
    // All are waited for: a rejection of one must not leave another unheard.
    return Promise.all(promises).then((ends) => ({ topic, partition, end: ends.at(-1)! }));
  };
  /** Of an append without records; who leads now is looked for as long as for any other. */
  const endOf = async (lane: Lane): Promise<Appended> => {
    const since = performance.now();
    for (let failures = 1; ; failures += 1) {
      try {
        return await askEnd(lane);
      } catch (error) {
        brokers.forget(lane.topic);
        const known = kafkaError(error, brokers.names);
        const isUnknown = known.code === 'LOG_TOPIC_UNKNOWN' || known.code === 'LOG_PARTITION_UNKNOWN';
        const patienceMs = isUnknown ? UNKNOWN_GRACE_MS : isHopeless(error, known) ? 0 : deliveryTimeoutMs;
        if (isClosed || performance.now() - since > patienceMs) throw known;
      }
      await pause(backOffMs(failures));
    }
  };
  const askEnd = async ({ topic, partition }: Lane): Promise<Appended> => {
    if (brokers.leader(topic, partition) === undefined) await brokers.refresh([topic]);
    const count = brokers.partitions(topic);
    if (count === undefined) throw unknownTopic(topic);
    if (partition >= count) throw unknownPartition(topic, partition, count);
    const link = await brokers.node(brokers.leader(topic, partition) ?? -1);
    const [answer] = await link.send(offsetsRequest([{ topic, partition }], 'end'));
    if (answer!.error !== 0) throw new ProtocolError('ListOffsets', answer!.error);
    return { topic, partition, end: answer!.offset };
  };

  return {
    async append(batches) {
      if (isClosed) throw closed();
      for (const { topic, partition } of batches) {
        const count = brokers.partitions(topic);
        if (!Number.isInteger(partition) || partition < 0)
          throw unknownPartition(topic, partition, count ?? 0);
      }
      const results = batches.map(enqueue);
      pump();
      const settled = await Promise.allSettled(results);
      const failure = settled.find((one) => one.status === 'rejected');
      if (failure) throw kafkaError(failure.reason, brokers.names);
      return settled.map((one) => (one as PromiseFulfilledResult<Appended>).value);
    },
    close() {
      isClosed = true;
      for (const lane of lanes.values()) giveUp(lane, closed());
      ready.clear();
    },
  };
}

const backOffMs = (failures: number): number =>
  Math.min(LAST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** Math.min(failures - 1, 6));

/** Asking again changes nothing; `known` is what the log makes of the error. */
const isHopeless = (error: unknown, known: HubError): boolean =>
  known.disposition === 'user' || (known.code === 'INTERNAL' && codeOf(error) === null);

function cut(records: readonly LogRecord[]): { records: readonly LogRecord[]; bytes: number }[] {
  const cuts: { records: readonly LogRecord[]; bytes: number }[] = [];
  let from = 0;
  let bytes = 0;
  for (const [index, record] of records.entries()) {
    const size = recordSize(record);
    if (index > from && bytes + size > BATCH_BYTES) {
      cuts.push({ records: records.slice(from, index), bytes });
      from = index;
      bytes = 0;
    }
    bytes += size;
  }
  if (from < records.length) cuts.push({ records: from === 0 ? records : records.slice(from), bytes });
  return cuts;
}

const tooLarge = ({ topic }: Lane): HubError =>
  userError(
    'LOG_RECORD_TOO_LARGE',
    `Topic ${topic} was given a record larger than its brokers take.`,
    'Raise max.message.bytes of the topic and socket.request.max.bytes of the brokers, or keep the record smaller.',
  );
