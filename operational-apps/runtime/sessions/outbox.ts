/** What goes over the wire as a parameter: text form, or bytes for bytea. */
export type Param = string | null | Buffer;

/** Texts up to this long are mostly ASCII, and then quicker written here than by a call into the runtime. */
const SHORT = 48;
const KEPT_BYTES = 64 * 1024;

/**
 * Messages of PostgreSQL's extended protocol, written one after the other into one buffer that is used again (`pg`'s
 * own writer makes a buffer for each). Format: PostgreSQL documentation, "Message Formats".
 */
export class Outbox {
  #bytes = Buffer.allocUnsafe(4096);
  #at = 0;

  /** Leaves out what a writer that failed has left. */
  begin(): void {
    this.#at = 0;
  }

  /** A message made elsewhere. */
  add(message: Buffer): void {
    this.#room(message.length);
    message.copy(this.#bytes, this.#at);
    this.#at += message.length;
  }

  /** Bind of a prepared statement to the unnamed portal, everything in text form but bytes, then Execute of all rows. */
  bindAndExecute(statement: string, values: readonly Param[]): void {
    const start = this.#open(0x42);
    this.#byte(0);
    this.#cString(statement);
    this.#int16(values.length);
    for (const value of values) this.#int16(Buffer.isBuffer(value) ? 1 : 0);
    this.#int16(values.length);
    for (const value of values) this.#value(value);
    // One format for all results: text.
    this.#int16(1);
    this.#int16(0);
    this.#close(start);
    const execute = this.#open(0x45);
    this.#byte(0);
    this.#int32(0);
    this.#close(execute);
  }

  sync(): void {
    this.#close(this.#open(0x53));
  }

  /** What was written since `begin`. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#at));
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = Buffer.allocUnsafe(4096);
    return taken;
  }

  #value(value: Param): void {
    if (value === null) {
      this.#int32(-1);
      return;
    }
    const at = this.#at;
    this.#int32(0);
    if (typeof value === 'string') this.#text(value);
    else this.add(value);
    this.#bytes.writeInt32BE(this.#at - at - 4, at);
  }

  #cString(text: string): void {
    this.#text(text);
    this.#byte(0);
  }

  #text(text: string): void {
    const { length } = text;
    this.#room(length * 3);
    const bytes = this.#bytes;
    let at = this.#at;
    if (length <= SHORT) {
      let index = 0;
      for (; index < length; index += 1) {
        const code = text.charCodeAt(index);
        if (code > 0x7f) break;
        bytes[at] = code;
        at += 1;
      }
      if (index === length) {
        this.#at = at;
        return;
      }
    }
    this.#at += bytes.write(text, this.#at, 'utf8');
  }

  /** The letter of a message and room for its length; returns where that stands. */
  #open(letter: number): number {
    this.#byte(letter);
    const at = this.#at;
    this.#int32(0);
    return at;
  }

  #close(at: number): void {
    this.#bytes.writeInt32BE(this.#at - at, at);
  }

  #byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#at] = value;
    this.#at += 1;
  }

  #int16(value: number): void {
    this.#room(2);
    this.#at = this.#bytes.writeInt16BE(value, this.#at);
  }

  #int32(value: number): void {
    this.#room(4);
    this.#at = this.#bytes.writeInt32BE(value, this.#at);
  }

  #room(bytes: number): void {
    const wanted = this.#at + bytes;
    if (wanted <= this.#bytes.length) return;
    const more = Buffer.allocUnsafe(Math.max(wanted, this.#bytes.length * 2));
    this.#bytes.copy(more, 0, 0, this.#at);
    this.#bytes = more;
  }
}
