/** Backend messages of the PostgreSQL protocol that the stand-in says itself. */
const frame = (tag: string, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(5);
  head.write(tag, 0, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};
const text = (value: string): Buffer => Buffer.from(`${value}\0`);
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const int64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
};

const EPOCH_US = 946_684_800_000_000;

export const backend = {
  welcome: (): Buffer =>
    Buffer.concat([
      frame('R', int32(0)),
      frame('S', text('server_version'), text('15.12-YB-2025.2.4.0-b0')),
      frame('S', text('client_encoding'), text('UTF8')),
      frame('K', int32(1), int32(1)),
      backend.ready(),
    ]),
  ready: (): Buffer => frame('Z', Buffer.from('I')),
  done: (tag: string): Buffer => Buffer.concat([frame('C', text(tag)), backend.ready()]),
  error: (code: string, message: string): Buffer =>
    frame('E', text('SERROR'), text('VERROR'), text(`C${code}`), text(`M${message}`), Buffer.from([0])),
  copyBoth: (): Buffer => frame('W', Buffer.from([0, 0, 0])),
  copyDone: (): Buffer => frame('c'),
  keepalive: (lsn: number, answer: boolean): Buffer =>
    frame(
      'd',
      Buffer.from('k'),
      int64(lsn),
      int64(Date.now() * 1000 - EPOCH_US),
      Buffer.from([answer ? 1 : 0]),
    ),
};

/** Frontend messages, whatever the chunks they come in. The first one has no tag. */
export class FrontendReader {
  #waiting: Buffer = Buffer.alloc(0);
  #started = false;

  /** Whole messages: tag ('' for the startup ones) and body. */
  *read(chunk: Buffer): Generator<{ tag: string; body: Buffer }> {
    this.#waiting = Buffer.concat([this.#waiting, chunk]);
    for (;;) {
      const at = this.#started ? 1 : 0;
      if (this.#waiting.length < at + 4) return;
      const length = this.#waiting.readInt32BE(at);
      if (this.#waiting.length < at + length) return;
      const tag = this.#started ? String.fromCharCode(this.#waiting[0]!) : '';
      const body = this.#waiting.subarray(at + 4, at + length);
      this.#waiting = this.#waiting.subarray(at + length);
      const code = tag === '' && body.length >= 4 ? body.readInt32BE(0) : 0;
      if (tag === '' && code === 196_608) this.#started = true;
      yield { tag, body };
    }
  }
}

/** The message with another body. */
export const frontend = (tag: string, body: Buffer): Buffer =>
  tag === '' ? Buffer.concat([int32(body.length + 4), body]) : frame(tag, body);

/** Parameters of a startup message. */
export function startupOf(body: Buffer): Map<string, string> {
  const words = body.toString('utf8', 4).split('\0');
  const found = new Map<string, string>();
  for (let at = 0; at + 1 < words.length && words[at] !== ''; at += 2) found.set(words[at]!, words[at + 1]!);
  return found;
}
