import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { type Chunk, seal } from './codec.ts';
import { openBell } from './doorbell.ts';
import { type Operation, perform, Refusal, type Results } from './operations.ts';
import { openStore } from './store.ts';

/** An operation as it comes from the main thread: batches still unpacked. */
export type Request =
  | Exclude<Operation, { type: 'append' }>
  | {
      readonly type: 'append';
      readonly batches: readonly {
        readonly topic: string;
        readonly partition: number;
        readonly chunks: readonly Chunk[];
      }[];
    };

export interface Job {
  readonly id: number;
  readonly request: Request;
}

export type Answer =
  | { readonly id: number; readonly result: Results[Operation['type']] }
  | { readonly id: number; readonly refused: { readonly code: string; readonly message: string } }
  | { readonly id: number; readonly failed: { readonly code: number | undefined; readonly message: string } };

export interface WriterData {
  readonly dir: string;
  readonly mapSize?: number;
}

/** Payload put into one transaction at most; what waits longer goes into the next one. */
const GROUP_BYTES = 16 * 1024 * 1024;

/**
 * The one writer of a process, in a thread of its own: compresses, waits for the write lock that all
 * processes share, and for the disk. Whatever came in while it waited goes into one transaction (group commit).
 */
function run(port: MessagePort, { dir, mapSize }: WriterData): void {
  const store = openStore(dir, mapSize);
  const bell = openBell(dir);
  const waiting: Job[] = [];
  let scheduled = false;

  const transact = (operations: readonly { id: number; operation: Operation }[]): Answer[] =>
    store.root.transactionSync(() =>
      operations.map(({ id, operation }): Answer => {
        try {
          return { id, result: perform(store, operation) };
        } catch (error) {
          if (error instanceof Refusal) return { id, refused: { code: error.code, message: error.message } };
          throw error;
        }
      }),
    );

  const drain = (): void => {
    scheduled = false;
    const operations: { id: number; operation: Operation }[] = [];
    for (let bytes = 0; waiting.length > 0 && bytes < GROUP_BYTES; ) {
      const { id, request } = waiting.shift()!;
      const { operation, size } = toOperation(request);
      operations.push({ id, operation });
      bytes += size;
    }
    let answers: Answer[];
    try {
      answers = transact(operations);
    } catch {
      // The storage failed and nothing was written. One by one, what still fits is not failed by what does not.
      answers = operations.map((one) => {
        try {
          return transact([one])[0]!;
        } catch (error) {
          const { code, message } = error as { code?: number; message: string };
          return { id: one.id, failed: { code, message } };
        }
      });
    }
    bell.ring();
    port.postMessage(answers);
    if (waiting.length > 0) schedule();
  };
  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(drain);
  };
  port.on('message', (job: Job | 'close') => {
    if (job === 'close') {
      while (waiting.length > 0) drain();
      bell.close();
      void store.root.close().then(() => port.close());
      return;
    }
    waiting.push(job);
    schedule();
  });
  port.postMessage('open');
}

function toOperation(request: Request): { operation: Operation; size: number } {
  if (request.type !== 'append') return { operation: request, size: 0 };
  const now = Date.now();
  let size = 0;
  const batches = request.batches.map(({ topic, partition, chunks }) => ({
    topic,
    partition,
    values: chunks.map((chunk) => {
      size += chunk.payload.length;
      return { count: chunk.count, stored: seal(chunk, now) };
    }),
  }));
  return { operation: { type: 'append', batches }, size };
}

if (parentPort !== null) run(parentPort, workerData as WriterData);
