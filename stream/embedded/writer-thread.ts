import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { type Chunk, seal } from './codec.ts';
import { openBell } from './doorbell.ts';
import { type Operation, perform, Refusal, type Results } from './operations.ts';
import { type Importance, openSpace, roomFor } from './space.ts';
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
  | { readonly id: number; readonly failed: { readonly full: boolean; readonly message: string } };

export interface WriterData {
  readonly dir: string;
}

/** Stored bytes put into one transaction at most; what waits longer goes into the next one. */
const GROUP_BYTES = 16 * 1024 * 1024;

/**
 * The one writer of a process, in a thread of its own: compresses, waits for the write lock that all
 * processes share, and for the disk. Whatever came in while it waited goes into one transaction (group commit).
 */
function run(port: MessagePort, { dir }: WriterData): void {
  const store = openStore(dir);
  const bell = openBell(dir);
  const space = openSpace(store, dir);
  const waiting: Job[] = [];
  let scheduled = false;

  const transact = (tasks: readonly Task[]): Answer[] =>
    store.root.transactionSync(() => {
      const full = IMPORTANCE.filter((importance) => {
        const room = tasks.reduce((sum, task) => sum + (task.importance === importance ? task.room : 0), 0);
        return room > 0 && !space.ensure(room, importance);
      });
      return tasks.map(({ id, operation, importance }): Answer => {
        if (full.includes(importance)) return { id, failed: { full: true, message: 'no room' } };
        try {
          return { id, result: perform(store, operation) };
        } catch (error) {
          if (error instanceof Refusal) return { id, refused: { code: error.code, message: error.message } };
          throw error;
        }
      });
    });

  const drain = (): void => {
    scheduled = false;
    const tasks: Task[] = [];
    for (let bytes = 0; waiting.length > 0 && bytes < GROUP_BYTES; ) {
      const task = toTask(waiting.shift()!);
      tasks.push(task);
      bytes += task.room;
    }
    let answers: Answer[];
    try {
      answers = transact(tasks);
    } catch {
      // The storage failed and nothing was written. One by one, what still fits is not failed by what does not.
      answers = tasks.map((task) => {
        try {
          return transact([task])[0]!;
        } catch (error) {
          return { id: task.id, failed: { full: false, message: (error as Error).message } };
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
      space.close();
      void store.root.close().then(() => port.close());
      return;
    }
    waiting.push(job);
    schedule();
  });
  port.postMessage('open');
}

const IMPORTANCE: readonly Importance[] = ['records', 'state', 'deletion'];
const STATE_ROOM = 64 * 1024;

interface Task {
  readonly id: number;
  readonly operation: Operation;
  readonly importance: Importance;
  /** Disk space it may need, in bytes. */
  readonly room: number;
}

function toTask({ id, request }: Job): Task {
  if (request.type !== 'append') {
    const deletes = ['retain', 'clear', 'leave'].includes(request.type);
    return { id, operation: request, importance: deletes ? 'deletion' : 'state', room: STATE_ROOM };
  }
  const now = Date.now();
  let room = 0;
  const batches = request.batches.map(({ topic, partition, chunks }) => ({
    topic,
    partition,
    values: chunks.map((chunk) => {
      const stored = seal(chunk, now);
      room += roomFor(stored.length);
      return { count: chunk.count, stored };
    }),
  }));
  return { id, operation: { type: 'append', batches }, importance: 'records', room };
}

if (parentPort !== null) run(parentPort, workerData as WriterData);
