import { Worker } from 'node:worker_threads';
import { HubError, type Logger, userError } from '#kernel';
import type { Operation, Results } from './operations.ts';
import type { Answer, Job, Request, WriterData } from './writer-thread.ts';

/** `operation.type` decides the type of the answer. */
export interface Writer {
  /**
   * Durable when resolved. Rejects with LOG_TOPIC_UNKNOWN, LOG_PARTITION_UNKNOWN (user), LOG_DISK_FULL (user; nothing
   * of the operation was written, the log stays usable) or LOG_WRITE_FAILED.
   */
  perform<R extends Request>(request: R): Promise<Results[R['type'] & Operation['type']]>;
  close(): Promise<void>;
}

interface Pending {
  readonly size: number;
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/** Unpacked bytes handed to the thread and not yet durable. Further appends wait. */
const IN_FLIGHT_BYTES = 64 * 1024 * 1024;

/** Starts the writer thread; resolves when the folder is open. `written` is called after every transaction. */
export async function startWriter(data: WriterData, logger: Logger, written: () => void): Promise<Writer> {
  const worker = new Worker(new URL('./writer-thread.ts', import.meta.url), {
    workerData: data,
    name: 'log-writer',
    execArgv: [],
  });
  const pending = new Map<number, Pending>();
  const queue: (() => void)[] = [];
  let nextId = 1;
  let inFlight = 0;
  let failure: Error | null = null;

  const settle = (answer: Answer): void => {
    const entry = pending.get(answer.id);
    if (entry === undefined) return;
    pending.delete(answer.id);
    inFlight -= entry.size;
    if ('result' in answer) entry.resolve(answer.result as never);
    else if ('refused' in answer) {
      entry.reject(userError(answer.refused.code, answer.refused.message, 'Create it first.'));
    } else entry.reject(storageError(answer.failed, data.dir));
  };
  const fail = (error: Error): void => {
    failure ??= error;
    for (const entry of pending.values()) entry.reject(failure);
    pending.clear();
    for (const go of queue.splice(0)) go();
  };

  await new Promise<void>((resolve, reject) => {
    worker.on('message', (message: 'open' | Answer[]) => {
      if (message === 'open') return resolve();
      for (const answer of message) settle(answer);
      while (queue.length > 0 && inFlight < IN_FLIGHT_BYTES) queue.shift()!();
      written();
    });
    worker.on('error', (cause) => {
      const error = new HubError(
        'LOG_WRITER_FAILED',
        `The log's writer stopped: ${(cause as Error).message}`,
        {
          next: 'Restart the role; every acknowledged record is safe.',
          cause,
        },
      );
      logger.error({ err: cause }, 'log writer failed');
      fail(error);
      reject(error);
    });
    worker.on('exit', () => fail(new HubError('LOG_CLOSED', 'The log is closed.')));
  });

  return {
    perform(request) {
      const payloads =
        request.type === 'append'
          ? request.batches.flatMap((b) => b.chunks.map((c) => c.payload.buffer))
          : [];
      const size = payloads.reduce((sum, buffer) => sum + buffer.byteLength, 0);
      return new Promise((resolve, reject) => {
        const send = (): void => {
          if (failure !== null) {
            reject(failure);
            return;
          }
          const id = nextId++;
          inFlight += size;
          pending.set(id, { size, resolve, reject });
          worker.postMessage({ id, request } satisfies Job, payloads);
        };
        // Appends keep the order of their calls; what is small never waits behind them here.
        if (size > 0 && (queue.length > 0 || inFlight >= IN_FLIGHT_BYTES)) queue.push(send);
        else send();
      });
    },
    async close() {
      const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
      worker.postMessage('close');
      await exited;
    },
  };
}

function storageError(failed: { full: boolean; message: string }, dir: string): HubError {
  if (failed.full) {
    return userError(
      'LOG_DISK_FULL',
      `The change log in ${dir} has no room left on its disk.`,
      'Free disk space or lower the retention of the log; writing goes on by itself.',
      new Error(failed.message),
    );
  }
  return new HubError(
    'LOG_WRITE_FAILED',
    `The change log in ${dir} could not be written: ${failed.message}.`,
    {
      disposition: 'transient',
    },
  );
}
