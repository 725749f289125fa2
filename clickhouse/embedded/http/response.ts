import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createBrotliCompress, createDeflate, createGzip, createZstdCompress } from 'node:zlib';
import { EngineError, type Outcome, refusal } from '../engine/index.ts';
import { statusOf } from './statuses.ts';

const ENCODERS: Readonly<Record<string, () => NodeJS.ReadWriteStream>> = {
  zstd: createZstdCompress,
  gzip: createGzip,
  br: createBrotliCompress,
  deflate: createDeflate,
};

const TYPES: readonly (readonly [RegExp, string])[] = [
  [/^JSON.*EachRow/i, 'application/x-ndjson; charset=UTF-8'],
  [/^JSON/i, 'application/json; charset=UTF-8'],
  [/^(TabSeparated|TSV)/i, 'text/tab-separated-values; charset=UTF-8'],
  [/^CSV/i, 'text/csv; charset=UTF-8'],
  [/^XML$/i, 'application/xml; charset=UTF-8'],
  [/^(Pretty|Values|Vertical|Markdown|TSKV|Null)/i, 'text/plain; charset=UTF-8'],
];

const typeOf = (format: string): string =>
  TYPES.find(([pattern]) => pattern.test(format))?.[1] ?? 'application/octet-stream';

export interface ResponseFacts {
  readonly queryId: string;
  readonly timezone: string;
  readonly version: string;
}

/**
 * ClickHouse's side of one HTTP exchange. Until the first byte of a result is sent an exception has its
 * own status; after it, the stream ends with ClickHouse's exception block and a broken connection, so
 * that it is never taken for complete.
 */
export class Reply {
  readonly #response: ServerResponse;
  readonly #facts: ResponseFacts;
  readonly #encoding: string | null;
  // Random bytes of their own would be a system call for each request.
  readonly #tag = randomUUID().replaceAll('-', '').slice(16);
  #body: NodeJS.WritableStream | null = null;
  #holding = false;
  #ended = false;

  constructor(request: IncomingMessage, response: ServerResponse, facts: ResponseFacts, compress: boolean) {
    this.#response = response;
    this.#facts = facts;
    this.#encoding = compress ? chooseEncoding(request.headers['accept-encoding']) : null;
    response.sendDate = true;
  }

  get started(): boolean {
    return this.#body !== null;
  }

  /** Sends the head of a result. */
  begin(format: string, outcome: Outcome | null): void {
    this.#response.writeHead(200, {
      ...this.#common(),
      'Content-Type': typeOf(format),
      'X-ClickHouse-Format': format,
      'X-ClickHouse-Summary': summary(outcome),
      'X-ClickHouse-Exception-Tag': this.#tag,
      ...(this.#encoding === null ? {} : { 'Content-Encoding': this.#encoding }),
    });
    if (this.#encoding === null) this.#body = this.#response;
    else {
      const encoder = ENCODERS[this.#encoding]!();
      encoder.pipe(this.#response);
      this.#body = encoder;
    }
  }

  /** Sends a piece of the result; resolves when more may be sent. Rejects when the client has gone. */
  async write(piece: Buffer, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.#body!.write(piece)) await once(this.#body!, 'drain', { signal });
  }

  end(): void {
    this.#ended = true;
    if (!this.#holding) this.#body!.end();
  }

  /** Until the function it gives is called, the client does not learn that its answer is whole. */
  holdEnd(): () => void {
    this.#holding = true;
    return () => {
      this.#holding = false;
      if (this.#ended) this.end();
    };
  }

  /** Ends the exchange with an exception, whatever has been sent. */
  fail(thrown: unknown): void {
    const error =
      thrown instanceof EngineError
        ? thrown
        : refusal(49, 'LOGICAL_ERROR', thrown instanceof Error ? thrown.message : String(thrown));
    const version = ` (version ${this.#facts.version})`;
    const text = error.message.includes(version) ? error.message : `${error.message}${version}`;
    if (this.#body === null) {
      this.#response.writeHead(statusOf(error.code), {
        ...this.#common(),
        'Content-Type': 'text/plain; charset=UTF-8',
        'X-ClickHouse-Exception-Code': String(error.code),
        ...(error.code === 194 ? { 'WWW-Authenticate': 'Basic realm="ClickHouse"' } : {}),
      });
      this.#response.end(`${text}\n`);
      return;
    }
    const message = `${text}\n`;
    const size = Buffer.byteLength(message);
    const block = `\r\n__exception__\r\n${this.#tag}\r\n${message}${size} ${this.#tag}\r\n__exception__\r\n`;
    this.#body.write(block, () => this.#breakOff());
  }

  /** The last chunk is never sent: HTTP itself tells that the body is incomplete. */
  #breakOff(): void {
    const socket = this.#response.socket;
    if (this.#encoding !== null)
      (this.#body as unknown as { flush(done: () => void): void }).flush(() => socket?.destroySoon());
    else socket?.destroySoon();
  }

  #common(): Record<string, string> {
    return {
      'X-ClickHouse-Query-Id': this.#facts.queryId,
      'X-ClickHouse-Timezone': this.#facts.timezone,
      'X-ClickHouse-Server-Display-Name': 'bac-embedded',
    };
  }
}

function summary(outcome: Outcome | null): string {
  return JSON.stringify({
    read_rows: String(outcome?.rowsRead ?? 0),
    read_bytes: String(outcome?.bytesRead ?? 0),
    written_rows: String(outcome?.rowsWritten ?? 0),
    written_bytes: String(outcome?.bytesWritten ?? 0),
    total_rows_to_read: '0',
    result_rows: String(outcome?.rowsWritten ?? 0),
    result_bytes: String(outcome?.bytesWritten ?? 0),
    elapsed_ns: String(outcome?.elapsedNs ?? 0),
  });
}

function chooseEncoding(accepted: string | string[] | undefined): string | null {
  const offered = String(accepted ?? '').toLowerCase();
  return (
    Object.keys(ENCODERS).find((name) => new RegExp(`(^|[,\\s])${name}([;,\\s]|$)`).test(offered)) ?? null
  );
}
