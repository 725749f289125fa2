import { SqlError } from '../errors.ts';

/** What a client sends. Format: PostgreSQL documentation, "Message Formats" (protocol 3.0). */
export type FrontendMessage =
  | { readonly kind: 'query'; readonly sql: string }
  | { readonly kind: 'parse'; readonly name: string; readonly sql: string; readonly types: readonly number[] }
  | ({ readonly kind: 'bind' } & Binding)
  | { readonly kind: 'describe' | 'close'; readonly what: 'S' | 'P'; readonly name: string }
  | { readonly kind: 'execute'; readonly portal: string; readonly maxRows: number }
  | { readonly kind: 'password'; readonly password: string }
  | { readonly kind: 'sync' | 'flush' | 'terminate' | 'copy' };

export interface Binding {
  readonly portal: string;
  readonly statement: string;
  readonly paramFormats: readonly number[];
  readonly params: readonly (Buffer | null)[];
  readonly resultFormats: readonly number[];
}

/** Longest message accepted once signed in; before that far less. */
const LONGEST = 16 * 1024 * 1024;
const LONGEST_STARTUP = 10_000;

class Reader {
  readonly body: Buffer;
  at = 0;
  constructor(body: Buffer) {
    this.body = body;
  }
  int16(): number {
    this.at += 2;
    return this.body.readInt16BE(this.at - 2);
  }
  int32(): number {
    this.at += 4;
    return this.body.readInt32BE(this.at - 4);
  }
  char(): string {
    this.at += 1;
    return String.fromCharCode(this.body.readUInt8(this.at - 1));
  }
  text(): string {
    const end = this.body.indexOf(0, this.at);
    if (end < 0) throw new SqlError('08P01', 'a string in a message does not end');
    const text = this.body.toString('utf8', this.at, end);
    this.at = end + 1;
    return text;
  }
  bytes(length: number): Buffer {
    if (length < 0 || this.at + length > this.body.length)
      throw new SqlError('08P01', 'a value reaches beyond its message');
    this.at += length;
    return this.body.subarray(this.at - length, this.at);
  }
  list<T>(read: () => T): T[] {
    const count = this.int16();
    if (count < 0) throw new SqlError('08P01', 'a message counts less than nothing');
    return Array.from({ length: count }, read);
  }
}

const SIMPLE = { S: 'sync', H: 'flush', X: 'terminate', d: 'copy', c: 'copy', f: 'copy' } as const;

function decode(type: string, body: Buffer): FrontendMessage {
  const reader = new Reader(body);
  switch (type) {
    case 'Q':
      return { kind: 'query', sql: reader.text() };
    case 'P': {
      const [name, sql] = [reader.text(), reader.text()];
      return { kind: 'parse', name, sql, types: reader.list(() => reader.int32()) };
    }
    case 'B': {
      const [portal, statement] = [reader.text(), reader.text()];
      const paramFormats = reader.list(() => reader.int16());
      const params = reader.list(() => {
        const length = reader.int32();
        return length === -1 ? null : reader.bytes(length);
      });
      return {
        kind: 'bind',
        portal,
        statement,
        paramFormats,
        params,
        resultFormats: reader.list(() => reader.int16()),
      };
    }
    case 'D':
    case 'C': {
      const what = reader.char() === 'S' ? 'S' : 'P';
      return { kind: type === 'D' ? 'describe' : 'close', what, name: reader.text() };
    }
    case 'E':
      return { kind: 'execute', portal: reader.text(), maxRows: reader.int32() };
    case 'p':
      return { kind: 'password', password: reader.text() };
    default:
      if (type in SIMPLE) return { kind: SIMPLE[type as keyof typeof SIMPLE] };
      throw new SqlError('08P01', `the message type "${type}" is not part of the protocol served here`);
  }
}

const inBounds = <T>(read: () => T): T => {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) throw new SqlError('08P01', 'a message is shorter than it says');
    throw error;
  }
};

/** Takes whole messages off what has arrived. */
export class FrontendBuffer {
  #held: Buffer = Buffer.alloc(0);
  #limit = LONGEST_STARTUP;

  push(chunk: Buffer): void {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
  }
  /** From now on long messages are accepted. */
  trusted(): void {
    this.#limit = LONGEST;
  }
  get length(): number {
    return this.#held.length;
  }
  #take(header: number): Buffer | null {
    if (this.#held.length < header + 4) return null;
    const length = this.#held.readInt32BE(header);
    if (length < 4 || length > this.#limit)
      throw new SqlError('08P01', `a message of ${length} bytes is not accepted`);
    if (this.#held.length < header + length) return null;
    const body = this.#held.subarray(header + 4, header + length);
    this.#held = this.#held.subarray(header + length);
    return body;
  }
  /** The first message, which has no type: its code and what follows. Null: not here yet. */
  startup(): { code: number; body: Buffer } | null {
    const body = this.#take(0);
    if (body === null) return null;
    if (body.length < 4) throw new SqlError('08P01', 'the start-up message is too short');
    return { code: body.readInt32BE(0), body: body.subarray(4) };
  }
  message(): FrontendMessage | null {
    if (this.#held.length === 0) return null;
    const type = String.fromCharCode(this.#held[0]!);
    const body = this.#take(1);
    return body === null ? null : inBounds(() => decode(type, body));
  }
}

/** Parameters of the start-up message: user, database, options, ... */
export function startupParameters(body: Buffer): Map<string, string> {
  const words = body.toString('utf8').split('\0');
  const found = new Map<string, string>();
  for (let at = 0; at + 1 < words.length && words[at] !== ''; at += 2) found.set(words[at]!, words[at + 1]!);
  return found;
}
