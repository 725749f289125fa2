import { Transform, type TransformCallback } from 'node:stream';
import { parseError } from '@clickhouse/client';

const MARK = '__exception__';
/** ClickHouse's exception block is at most 16 KiB of message and some framing. */
const HELD_BYTES = 20 * 1024;

/**
 * Passes a result on, holding back its last bytes until it has ended: if they are the exception block that
 * ClickHouse (25.11 and later) writes into a started result, the stream fails with that exception instead.
 */
export class ExceptionGuard extends Transform {
  readonly #tag: string | undefined;
  #held: Buffer = Buffer.alloc(0);

  constructor(tag: string | undefined) {
    super();
    this.#tag = tag;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const all = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const cut = this.#tag === undefined ? all.length : Math.max(0, all.length - HELD_BYTES);
    if (cut > 0) this.push(all.subarray(0, cut));
    this.#held = all.subarray(cut);
    done();
  }

  override _flush(done: TransformCallback): void {
    const exception = this.exception();
    if (!exception) this.push(this.#held);
    done(exception);
  }

  /** The exception at the end of what has come so far. */
  exception(): Error | null {
    if (this.#tag === undefined) return null;
    const text = this.#held.toString();
    const start = text.lastIndexOf(`\r\n${MARK}\r\n${this.#tag}\r\n`);
    if (start < 0) return null;
    const message = text.slice(start + MARK.length + this.#tag.length + 6);
    const end = message.lastIndexOf(` ${this.#tag}`);
    return parseError(end < 0 ? message : message.slice(0, message.lastIndexOf('\n', end)));
  }
}
