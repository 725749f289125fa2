import { connect, type Socket } from 'node:net';

export interface Shot {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  /** Only the beginning of the answer is wanted: nothing more of it is kept. */
  readonly skim?: boolean;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export interface Client {
  /** Status and body of one request on a kept connection. */
  send(shot: Shot): Promise<Answer>;
  close(): void;
}

interface Waiting {
  readonly bytes: string;
  readonly skim: boolean;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/**
 * HTTP/1.1 over kept connections, one request at a time on each: what a load generator needs and no more, since it
 * shares the machine with what it measures (Node's own client costs as much as the whole server's answer to
 * `/healthz`). Answers must have a Content-Length. Requests beyond `connections` wait.
 */
export function httpClient(url: string, headers: Readonly<Record<string, string>>, connections = 64): Client {
  const { hostname, port, host } = new URL(url);
  const common = Object.entries({ host, ...headers })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const idle: Connection[] = [];
  const waiting: Waiting[] = [];
  const all = new Set<Connection>();
  const next = (connection: Connection): void => {
    const first = waiting.shift();
    if (first) connection.send(first);
    else idle.push(connection);
  };
  return {
    send: ({ method, path, body, skim = false }) =>
      new Promise((resolve, reject) => {
        const content =
          body === undefined
            ? '\r\n'
            : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
        const one = { bytes: `${method} ${path} HTTP/1.1\r\n${common}${content}`, skim, resolve, reject };
        const free = idle.pop();
        if (free) return free.send(one);
        if (all.size >= connections) return waiting.push(one);
        const made: Connection = new Connection(Number(port), hostname, next, () => {
          all.delete(made);
          const at = idle.indexOf(made);
          if (at >= 0) idle.splice(at, 1);
        });
        all.add(made);
        made.send(one);
      }),
    close() {
      for (const connection of all) connection.close();
    },
  };
}

const RECEIVED_BYTES = 64 * 1024;
const SKIMMED_BYTES = 4 * 1024;

/** Reads into one buffer that is used again: tens of megabytes a second of new ones keep the garbage collector busy. */
class Connection {
  readonly #socket: Socket;
  readonly #free: (connection: Connection) => void;
  #current: Waiting | null = null;
  #head = '';
  #status = 0;
  /** Bytes of the answer's body still to come; null: its head is not whole yet. */
  #left: number | null = null;
  #kept: Buffer[] = [];
  /** Beginning of an answer that is skimmed: a text, since memory outside of the heap has the whole heap collected. */
  #beginning = '';

  constructor(port: number, host: string, free: (connection: Connection) => void, gone: () => void) {
    this.#free = free;
    this.#socket = connect({
      port,
      host,
      onread: {
        buffer: Buffer.allocUnsafeSlow(RECEIVED_BYTES),
        callback: (bytes, buffer) => {
          this.#read(Buffer.from(buffer.buffer, buffer.byteOffset, bytes));
          return true;
        },
      },
    });
    this.#socket.setNoDelay(true);
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => {
      gone();
      this.#fail(new Error('the server closed the connection'));
    });
  }

  send(request: Waiting): void {
    this.#current = request;
    this.#socket.write(request.bytes);
  }

  close(): void {
    this.#socket.destroy();
  }

  #fail(error: Error): void {
    this.#current?.reject(error);
    this.#current = null;
  }

  #read(received: Buffer): void {
    let body = received;
    if (this.#left === null) {
      const before = this.#head.length;
      this.#head += received.toString('latin1');
      const end = this.#head.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = /\r\ncontent-length: (\d+)/i.exec(this.#head.slice(0, end + 2))?.[1];
      if (length === undefined) {
        this.#socket.destroy(new Error(`an answer without a length: ${this.#head.slice(0, 200)}`));
        return;
      }
      this.#status = Number(this.#head.slice(9, 12));
      this.#left = Number(length);
      body = received.subarray(end + 4 - before);
    }
    this.#left -= body.length;
    if (!this.#current?.skim) this.#kept.push(Buffer.from(body));
    else if (this.#beginning.length < SKIMMED_BYTES)
      this.#beginning += body.toString('latin1', 0, SKIMMED_BYTES - this.#beginning.length);
    if (this.#left === 0) this.#done();
  }

  #done(): void {
    const { resolve, skim } = this.#current!;
    const text = skim ? this.#beginning : Buffer.concat(this.#kept).toString('utf8');
    const answer = { status: this.#status, text };
    this.#current = null;
    this.#head = '';
    this.#left = null;
    this.#kept = [];
    this.#beginning = '';
    this.#free(this);
    resolve(answer);
  }
}
