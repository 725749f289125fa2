import { HubError } from '#kernel';

/** PostgreSQL itself cannot build a message beyond 1 GiB. */
const MAX_FRAME = 1_073_741_824 + 1024;

/**
 * Cuts the byte stream of PostgreSQL's wire protocol into messages without copying, except for a
 * message that lies across chunks, which is joined once, when it is whole.
 *
 * `push` a chunk, then call `next` until it says false; after true, `tag` is the message type and
 * `buffer[start..end)` its body. Errors: WIRE_MALFORMED.
 */
export class Frames {
  tag = 0;
  buffer: Buffer = Buffer.alloc(0);
  start = 0;
  end = 0;
  #at = 0;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** Bytes the message that lies across chunks needs, header included; 5 while its header is not whole. */
  #needed = 0;

  push(chunk: Buffer): void {
    if (this.#needed === 0) {
      this.buffer = chunk;
      this.#at = 0;
      return;
    }
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
  }

  next(): boolean {
    if (this.#needed > 0 && !this.#join()) return false;
    const buffer = this.buffer;
    const at = this.#at;
    const left = buffer.length - at;
    if (left < 5) return this.#keep(left, 5);
    const length = buffer.readInt32BE(at + 1);
    if (length < 4 || length > MAX_FRAME) {
      throw new HubError('WIRE_MALFORMED', `The server sent a message of ${length} bytes.`, {
        next: 'Check that the address is a PostgreSQL server and nothing in between alters the stream.',
      });
    }
    if (left < length + 1) return this.#keep(left, length + 1);
    this.tag = buffer[at]!;
    this.start = at + 5;
    this.end = at + 1 + length;
    this.#at = this.end;
    return true;
  }

  #join(): boolean {
    if (this.#waitingBytes < this.#needed) return false;
    this.buffer = this.#waiting.length === 1 ? this.#waiting[0]! : Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#needed = 0;
    this.#at = 0;
    return true;
  }

  #keep(left: number, needed: number): false {
    if (left > 0) {
      this.#waiting = [this.buffer.subarray(this.#at)];
      this.#waitingBytes = left;
      this.#needed = needed;
    }
    this.#at = this.buffer.length;
    return false;
  }
}
