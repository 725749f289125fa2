import { connect, type Socket } from 'node:net';

export interface Shot {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
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
    send: ({ method, path, body }) =>
      new Promise((resolve, reject) => {
        const content =
          body === undefined
            ? '\r\n'
            : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
        const one = { bytes: `${method} ${path} HTTP/1.1\r\n${common}${content}`, resolve, reject };
        const free = idle.pop();
        if (free) return free.send(one);
        if (all.size >= connections) return waiting.push(one);
        const made = new Connection(connect(Number(port), hostname), next, () => {
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

class Connection {
  readonly #socket: Socket;
  readonly #free: (connection: Connection) => void;
  #current: Waiting | null = null;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(socket: Socket, free: (connection: Connection) => void, gone: () => void) {
    this.#socket = socket;
    this.#free = free;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => {
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

  #read(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    const end = this.#bytes.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#bytes.toString('latin1', 0, end);
    const status = Number(head.slice(9, 12));
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    if (length === undefined) {
      this.#socket.destroy(new Error(`an answer without a length: ${head.slice(0, 200)}`));
      return;
    }
    const whole = end + 4 + Number(length);
    if (this.#bytes.length < whole) return;
    const text = this.#bytes.toString('utf8', end + 4, whole);
    this.#bytes = this.#bytes.subarray(whole);
    const { resolve } = this.#current!;
    this.#current = null;
    this.#free(this);
    resolve({ status, text });
  }
}
