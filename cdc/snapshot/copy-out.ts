import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type pg from 'pg';
import { bufferPassed } from '#kernel';
import { BulkSocket } from './bulk-socket.ts';

const COPY_DATA = 0x64;
/** CopyOutResponse, NoticeResponse, ParameterStatus, NotificationResponse: may stand between the data. */
const PASSED_OVER = new Set([0x48, 0x4e, 0x53, 0x41]);
const HEADER = 5;
const BUFFER_BYTES = 1024 * 1024;
/** Rows are handed on in blocks: few large writes cost less than many small ones. */
const BLOCK_BYTES = 256 * 1024;

type Handler = (chunk: Buffer) => void;

const EMPTY = Buffer.alloc(0);

/**
 * The bytes of a `COPY ... TO STDOUT`, as fast as the socket gives them: takes the session's socket over
 * and copies the rows, without the message headers, into blocks. A driver that looks at each row costs more
 * than the server's own work for it.
 *
 * Pass it to `client.query()`. Ends when the server has confirmed the whole COPY; then `rowCount` is set.
 * Back-pressure reaches the server. Destroyed before its end, the session must be closed.
 * Format: PostgreSQL documentation, "Message Formats" (CopyData) and "COPY Operations".
 */
export class CopyOut extends Readable implements pg.Submittable {
  readonly text: string;
  rowCount = 0;
  /** What the server or the session failed with; null when it was the reader that gave up. */
  failure: Error | null = null;
  #socket: Socket | null = null;
  #handler: Handler | null = null;
  #tag = 0;
  /** Bytes of the present message still to come. */
  #left = 0;
  #head: Buffer | null = null;
  #block = EMPTY;
  #filled = 0;
  readonly #onData = (chunk: Buffer): void => this.#take(chunk);

  constructor(text: string) {
    super({ highWaterMark: BUFFER_BYTES });
    this.text = text;
  }

  submit(connection: pg.Connection): void {
    const socket = connection.stream as Socket;
    const [handler, ...others] = socket.listeners('data') as Handler[];
    if (handler === undefined || others.length > 0) throw new Error('The session has no single reader.');
    this.#socket = socket;
    this.#handler = handler;
    if (socket instanceof BulkSocket) socket.bulk = this.#onData;
    else {
      socket.off('data', handler);
      socket.on('data', this.#onData);
    }
    connection.query(this.text);
  }

  override _read(): void {
    if (this.#handler !== null) this.#socket?.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    // What is still to come is thrown away with the session; paused, its end would not be seen.
    this.#socket?.resume();
    callback(error);
  }

  handleError(error: Error): void {
    this.failure = error;
    this.destroy(error);
  }

  handleCommandComplete(message: { readonly text?: string }): void {
    this.rowCount = Number(/^COPY (\d+)/.exec(message.text ?? '')?.[1] ?? 0);
    this.push(null);
  }

  handleReadyForQuery(): void {}

  #take(received: Buffer): void {
    const chunk = this.#head === null ? received : Buffer.concat([this.#head, received]);
    this.#head = null;
    let at = 0;
    for (;;) {
      const there = Math.min(this.#left, chunk.length - at);
      if (there > 0) {
        if (this.#tag === COPY_DATA) this.#put(chunk, at, at + there);
        at += there;
        this.#left -= there;
      }
      if (at === chunk.length) return;
      if (chunk.length - at < HEADER) {
        this.#head = Buffer.from(chunk.subarray(at));
        return;
      }
      this.#tag = chunk[at]!;
      if (this.#tag !== COPY_DATA && !PASSED_OVER.has(this.#tag)) {
        this.#handOn();
        this.#handBack(Buffer.from(chunk.subarray(at)));
        return;
      }
      this.#left = chunk.readInt32BE(at + 1) - 4;
      at += HEADER;
    }
  }

  #put(chunk: Buffer, start: number, end: number): void {
    let from = start;
    while (from < end) {
      if (this.#filled === this.#block.length) {
        this.#handOn();
        this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
        bufferPassed(BLOCK_BYTES);
      }
      const copied = chunk.copy(this.#block, this.#filled, from, end);
      this.#filled += copied;
      from += copied;
    }
  }

  #handOn(): void {
    if (this.#filled === 0) return;
    const full = this.#block.subarray(0, this.#filled);
    this.#block = EMPTY;
    this.#filled = 0;
    if (!this.destroyed && !this.push(full)) this.#socket?.pause();
  }

  /** The data is over (CopyDone or an error): the driver reads on. */
  #handBack(rest: Buffer): void {
    const [socket, handler] = [this.#socket!, this.#handler!];
    this.#handler = null;
    if (socket instanceof BulkSocket) socket.bulk = null;
    else {
      socket.off('data', this.#onData);
      socket.on('data', handler);
    }
    handler(rest);
    socket.resume();
  }
}
