import type { ConsumeOptions, StoredRecord } from '#kernel';

const FIRST_BACK_OFF_MS = 50;
const LAST_BACK_OFF_MS = 5000;

export interface Bounds {
  readonly records: number;
  readonly bytes: number;
}

export interface PartHost {
  readonly onBatch: ConsumeOptions['onBatch'];
  readonly bounds: Bounds;
  readonly report: (error: unknown, at: { topic: string; partition: number }) => void;
  /** Everything below `offset` is done: a handler has resolved, or there was nothing to handle. */
  readonly done: (part: Part, offset: number) => void;
  readonly isStopping: () => boolean;
  /** A back-off ended; the partition may be fetched and delivered again. */
  readonly woken: () => void;
}

/** `idle` nothing known to wait, `ready` in the ring, `running`, `waiting` for the end of a back-off, `done`. */
export type PartState = 'idle' | 'ready' | 'running' | 'waiting' | 'done';

/** One partition a consumer owns, with the records fetched ahead. */
export interface Part {
  readonly topic: string;
  readonly partition: number;
  state: PartState;
  revoked: boolean;
  /** The topic was seen to be gone: when it is there again, it is another one. */
  gone: boolean;
  /** Next offset to be fetched. */
  next(): number;
  /** Everything below is done. */
  position(): number;
  /** What waits: a batch with its handler does not count. */
  buffered(): { readonly records: number; readonly bytes: number };
  /** Takes what was fetched from `from` on; ignored if the partition has moved elsewhere meanwhile. */
  receive(from: number, records: readonly StoredRecord[], next: number, end: number): void;
  /** Goes on at another offset; what was fetched is forgotten. */
  seek(offset: number): void;
  /** Delivers one batch. Never rejects. */
  deliver(): Promise<void>;
  abort(): void;
  /** Ends a back-off. */
  wake(): void;
  close(): void;
}

const sizeOf = ({ key, value }: StoredRecord): number => (key?.length ?? 0) + (value?.length ?? 0);

export function createPart(host: PartHost, topic: string, partition: number, position: number): Part {
  let buffer: StoredRecord[] = [];
  let head = 0;
  let bytes = 0;
  /** Of `bytes`, those a handler has. */
  let handed = 0;
  let fetchAt = position;
  let doneTo = position;
  let end = position;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  let controller = new AbortController();

  /** Grows when what was fetched is forgotten: a handler that ends later has no say any more. */
  let era = 0;
  const clear = (offset: number): void => {
    era += 1;
    buffer = [];
    head = 0;
    bytes = 0;
    handed = 0;
    fetchAt = offset;
  };
  const batch = (): StoredRecord[] => {
    let size = 0;
    let count = 0;
    while (head + count < buffer.length && count < host.bounds.records) {
      size += sizeOf(buffer[head + count]!);
      if (count > 0 && size > host.bounds.bytes) break;
      count += 1;
    }
    return buffer.slice(head, head + count);
  };
  const backOff = (): void => {
    failures += 1;
    self.state = 'waiting';
    timer = setTimeout(
      self.wake,
      Math.min(LAST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** Math.min(failures - 1, 10)),
    );
  };

  const moveTo = (offset: number): void => {
    doneTo = offset;
    host.done(self, offset);
  };
  /** The partition was closed or went on elsewhere while its handler ran. */
  const rest = (): void => {
    if (self.state === 'running') self.state = 'idle';
  };

  const self: Part = {
    topic,
    partition,
    state: 'idle',
    revoked: false,
    gone: false,
    next: () => fetchAt,
    position: () => doneTo,
    buffered: () => ({ records: buffer.length - head, bytes: bytes - handed }),
    receive(from, records, next, hasEnd) {
      if (self.state === 'done' || from !== fetchAt) return;
      if (head > 0) {
        buffer = buffer.slice(head);
        head = 0;
      }
      for (const record of records) {
        buffer.push(record);
        bytes += sizeOf(record);
      }
      fetchAt = next;
      end = hasEnd;
      if (self.state !== 'running' && buffer.length === 0 && next > doneTo) moveTo(next);
    },
    seek(offset) {
      clear(offset);
      doneTo = offset;
      end = offset;
    },
    async deliver() {
      const records = batch();
      if (records.length === 0 || self.revoked || host.isStopping()) {
        self.state = 'idle';
        return;
      }
      self.state = 'running';
      controller = new AbortController();
      const last = records.at(-1)!.offset;
      const size = records.reduce((sum, record) => sum + sizeOf(record), 0);
      handed = size;
      const mine = era;
      try {
        const waits = head + records.length < buffer.length || fetchAt < end;
        const endSeen = waits ? Math.max(end, last + 1) : last + 1;
        await host.onBatch({ topic, partition, records, end: endSeen }, controller.signal);
      } catch (error) {
        if (!controller.signal.aborted) host.report(error, { topic, partition });
        if (mine !== era) return rest();
        // A failing partition may fail for long: it is fetched again rather than held in memory.
        clear(records[0]!.offset);
        backOff();
        return;
      }
      failures = 0;
      if (mine !== era) return rest();
      self.state = 'idle';
      head += records.length;
      bytes -= size;
      handed = 0;
      // Behind the last record there may be offsets that hold none.
      moveTo(head < buffer.length ? last + 1 : Math.max(last + 1, fetchAt));
      if (head >= buffer.length) {
        buffer = [];
        head = 0;
        bytes = 0;
      }
    },
    abort: () => controller.abort(),
    wake() {
      if (self.state !== 'waiting') return;
      clearTimeout(timer);
      self.state = 'idle';
      if (!self.revoked && !host.isStopping()) host.woken();
    },
    close() {
      clearTimeout(timer);
      self.state = 'done';
      clear(fetchAt);
    },
  };
  return self;
}
