import { setImmediate as turn } from 'node:timers/promises';
import { z } from 'zod';
import { type ChangeLog, HubError, type LogConsumer, type Logger, type StoredRecord } from '#kernel';

/** A change of one record as the stream tells it: what happened to which row, not what it looks like. */
export interface RecordChange {
  readonly entity: string;
  readonly id: string;
  readonly operation: 'created' | 'updated' | 'deleted';
  /** null when the event has the key only (deletes). */
  readonly tenant: string | null;
}

export interface ChangeFeed {
  /**
   * Changes of these entities from now on, in the order of the log per row. A subscriber that falls more than
   * `MAX_WAITING` behind is ended with SUBSCRIBER_TOO_SLOW rather than fed gaps.
   */
  subscribe(entities: readonly string[], signal: AbortSignal): AsyncIterable<RecordChange>;
  /** Subscribers now. */
  readonly size: number;
  close(): Promise<void>;
}

export interface ChangeFeedOptions {
  readonly log: ChangeLog;
  /** Source that captures the hub's operational database: topics `<source>.<app>.<entity>`. */
  readonly source: string;
  readonly logger: Logger;
}

export const MAX_WAITING = 10_000;
/** Events looked at before other work gets its turn. */
const SLICE = 500;

const eventSchema = z.object({
  op: z.enum(['c', 'u', 'd', 'r', 't', 'm']),
  after: z.looseObject({ tenant_id: z.string().optional() }).nullish(),
});
/** Ids are bigint: taken as digits, since a number beyond 2^53 would lose some. */
const KEY_ID = /"id"\s*:\s*"?(\d{1,19})"?/;

interface Subscriber {
  readonly entities: ReadonlySet<string>;
  readonly waiting: RecordChange[];
  wake: () => void;
  slow: boolean;
}

/**
 * Live changes of the apps' records, fed from the change log like everything else: one reader per process,
 * running only while somebody listens, and records are only decoded for topics somebody listens to.
 */
export function createChangeFeed({ log, source, logger }: ChangeFeedOptions): ChangeFeed {
  const subscribers = new Set<Subscriber>();
  let consumer: LogConsumer | null = null;
  const prefix = `${source}.`;

  const dispatch = (entity: string, record: StoredRecord, to: readonly Subscriber[]): void => {
    const change = changeOf(entity, record);
    if (!change) return;
    for (const subscriber of to) {
      if (subscriber.waiting.length >= MAX_WAITING) subscriber.slow = true;
      else subscriber.waiting.push(change);
      subscriber.wake();
    }
  };

  const start = (): LogConsumer =>
    log.consume({
      group: null,
      from: 'end',
      topics: [{ prefix }],
      onBatch: async ({ topic, records }) => {
        const entity = topic.slice(prefix.length);
        const to = [...subscribers].filter((one) => one.entities.has(entity));
        if (to.length === 0) return;
        for (const [index, record] of records.entries()) {
          if (index > 0 && index % SLICE === 0) await turn();
          dispatch(entity, record, to);
        }
      },
      onError: (error, at) => logger.warn({ err: error, ...at }, 'live changes: a batch is read again'),
    });

  return {
    get size() {
      return subscribers.size;
    },
    async *subscribe(entities, signal) {
      const subscriber: Subscriber = {
        entities: new Set(entities),
        waiting: [],
        wake: () => {},
        slow: false,
      };
      subscribers.add(subscriber);
      const ended = (): void => subscriber.wake();
      signal.addEventListener('abort', ended);
      try {
        consumer ??= start();
        await consumer.ready;
        while (!signal.aborted) {
          const next = subscriber.waiting.shift();
          if (next) yield next;
          else if (subscriber.slow) throw tooSlow();
          else await new Promise<void>((resolve) => (subscriber.wake = resolve));
        }
      } finally {
        signal.removeEventListener('abort', ended);
        subscribers.delete(subscriber);
        if (subscribers.size === 0 && consumer) {
          const idle = consumer;
          consumer = null;
          await idle.stop();
        }
      }
    },
    async close() {
      for (const subscriber of subscribers) subscriber.wake();
      await consumer?.stop();
    },
  };
}

const OPERATIONS = { c: 'created', r: 'updated', u: 'updated', d: 'deleted' } as const;

function changeOf(entity: string, { key, value }: StoredRecord): RecordChange | null {
  if (!key || !value) return null;
  const [, id] = KEY_ID.exec(key.toString()) ?? [];
  const event = eventSchema.safeParse(parsed(value));
  if (!id || !event.success) return null;
  const { op, after } = event.data;
  if (op === 't' || op === 'm') return null;
  return { entity, id, operation: OPERATIONS[op], tenant: after?.tenant_id ?? null };
}

/** What is no JSON is the sink's to report, as a dead letter; there is no row in it to tell of. */
function parsed(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString());
  } catch {
    return null;
  }
}

const tooSlow = (): HubError =>
  new HubError(
    'SUBSCRIBER_TOO_SLOW',
    `More than ${MAX_WAITING.toLocaleString('en')} changes wait for this subscriber.`,
    {
      next: 'Ask for less, read faster, and subscribe again after reading the list anew.',
      disposition: 'user',
    },
  );
