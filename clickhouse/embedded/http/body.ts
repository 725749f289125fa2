import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { refusal } from '../engine/index.ts';

const DECODERS: Readonly<Record<string, () => NodeJS.ReadWriteStream>> = {
  gzip: createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};

/** The request's body, decompressed. Destroying the request makes it fail, never end early. */
export function bodyOf(request: IncomingMessage): Readable {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity' || encoding === '') return request;
  const decoder = DECODERS[encoding];
  if (!decoder) {
    throw refusal(
      48,
      'NOT_IMPLEMENTED',
      `Content-Encoding ${encoding} is not supported; use gzip, deflate, br or zstd`,
    );
  }
  const decoded = decoder() as unknown as Readable & NodeJS.WritableStream;
  request.on('error', (error) => decoded.destroy(error));
  request.on('close', () => {
    if (!request.complete) decoded.destroy(new Error('The client went away within its body'));
  });
  request.pipe(decoded);
  return decoded;
}

/**
 * Takes a stream's bytes piece by piece, with a look ahead at the beginning: the statement comes first,
 * its data follows.
 */
export class BodyReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #ended = false;

  constructor(body: Readable) {
    this.#chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** Reads on until `bytes` are held or the body ends. True if it has ended. */
  async hold(bytes: number): Promise<boolean> {
    while (!this.#ended && this.#heldBytes < bytes) {
      const { value, done } = await this.#chunks.next();
      if (done) this.#ended = true;
      else {
        this.#held.push(value);
        this.#heldBytes += value.length;
      }
    }
    return this.#ended;
  }

  /** All that is held so far, as one buffer; it stays held. */
  get held(): Buffer {
    if (this.#held.length !== 1) this.#held = [Buffer.concat(this.#held)];
    return this.#held[0]!;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Forgets the first `bytes` of what is held. */
  skip(bytes: number): void {
    const rest = this.held.subarray(bytes);
    this.#held = rest.length > 0 ? [rest] : [];
    this.#heldBytes = rest.length;
  }

  /** Throws away what is still to come, so that the connection can be used again. Never rejects. */
  async discard(): Promise<void> {
    this.#held = [];
    this.#heldBytes = 0;
    try {
      while (!this.#ended) this.#ended = (await this.#chunks.next()).done === true;
    } catch {
      // The client has gone away; there is nothing to save.
      this.#ended = true;
    }
  }

  /** What is held, then the rest as it comes. */
  async *rest(): AsyncGenerator<Buffer> {
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    yield* held;
    while (!this.#ended) {
      const { value, done } = await this.#chunks.next();
      if (done) this.#ended = true;
      else yield value;
    }
  }
}
