import { randomInt } from 'node:crypto';
import { createServer, isIP, type Server, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Logger, Principal, SemanticLayer } from '#kernel';
import { askArrow, type Parameter } from './arrow/ask.ts';
import { Catalogues } from './catalogue/catalogue.ts';
import { Seed } from './catalogue/seed.ts';
import { SqlError, toSqlError } from './errors.ts';
import { Engine } from './run/engine.ts';
import { Connection } from './session/connection.ts';
import { Session } from './session/session.ts';
import { DATABASE } from './types.ts';
import * as backend from './wire/backend.ts';
import { FrontendBuffer, startupParameters } from './wire/frontend.ts';

export interface SqlApiOptions {
  readonly layer: SemanticLayer;
  /** Whoever signs in: user name and password (an API key). Null: refused. Asked again before each statement. */
  readonly authenticate: (user: string, password: string, address: string) => Promise<Principal | null>;
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  /** PEM texts; without them there is no TLS, and passwords are taken from this machine only. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly maxConnections: number;
  /** Rows loaded for one statement; more are refused. */
  readonly maxRows: number;
  readonly maxStatementMs: number;
  /** Where an empty catalogue is kept from one process to the next; absent: nowhere. */
  readonly cacheDir?: string;
  readonly log: Logger;
}

export interface SqlApi {
  readonly port: number;
  readonly connections: number;
  /**
   * One SELECT in Arrow's IPC streaming format, for a principal who has signed in elsewhere. Errors before the first
   * bytes reject (QUERY_INVALID, QUERY_TOO_LARGE, those of the semantic layer), later ones end the stream.
   */
  arrow(
    principal: Principal,
    sql: string,
    parameters: readonly Parameter[],
    signal: AbortSignal,
  ): Promise<AsyncGenerator<Buffer>>;
  close(): Promise<void>;
}

/** Codes of the start-up message; source: PostgreSQL documentation, "Message Formats". */
const CANCEL = 80877102;
const SSL = 80877103;
const GSS = 80877104;
const SIGN_IN_MS = 30_000;
const CATALOGUES = 3;

interface Running {
  readonly secret: number;
  readonly socket: Socket;
  connection: Connection | null;
}

const isLoopback = (address: string): boolean =>
  address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');

/**
 * Serves cubes and views over PostgreSQL's wire protocol. Listens when the promise resolves.
 * Errors: SQL_API_LISTEN through the rejected promise of `listen` (EADDRINUSE and the like).
 */
export async function openSqlApi(options: SqlApiOptions): Promise<SqlApi> {
  const engine = await Engine.open();
  const catalogues = new Catalogues(CATALOGUES, new Seed(options.cacheDir ?? null, options.log));
  const running = new Map<number, Running>();
  const server = createServer({ noDelay: true }, (socket) => {
    void greet(socket, options, { engine, catalogues, running }).catch((error: unknown) => {
      options.log.debug(
        { error: error instanceof Error ? error.message : String(error) },
        'an SQL connection ended early',
      );
      socket.destroy();
    });
  });
  server.maxConnections = options.maxConnections;
  await listening(server, options);
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : options.port,
    get connections() {
      return running.size;
    },
    arrow: (principal, sql, parameters, signal) => {
      const { layer, maxRows, maxStatementMs } = options;
      const limited = AbortSignal.any([signal, AbortSignal.timeout(maxStatementMs)]);
      return askArrow(sql, parameters, { layer, engine, principal, maxRows }, limited);
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const one of running.values())
        one.socket.end(
          backend.errorResponse(
            new SqlError('57P01', 'terminating connection due to administrator command'),
            'FATAL',
          ),
        );
      await Promise.all([...running.values()].map((one) => one.connection?.end()));
      for (const one of running.values()) one.socket.destroy();
      await closed;
      await catalogues.close();
      engine.close();
    },
  };
}

function listening(server: Server, { host, port }: SqlApiOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(port, host, () => {
    server.off('error', reject);
    resolve();
  });
  return promise;
}

interface Shared {
  readonly engine: Engine;
  readonly catalogues: Catalogues;
  readonly running: Map<number, Running>;
}

/** From the first byte to a signed-in connection. */
async function greet(plain: Socket, options: SqlApiOptions, shared: Shared): Promise<void> {
  const pid = freePid(shared.running);
  const secret = randomInt(1, 2 ** 31 - 1);
  const entry: Running = { secret, socket: plain, connection: null };
  shared.running.set(pid, entry);
  const forget = (): void => {
    shared.running.delete(pid);
    void entry.connection?.end();
  };
  plain.once('close', forget);
  plain.on('error', () => plain.destroy());
  const late = setTimeout(() => plain.destroy(), SIGN_IN_MS);
  plain.once('close', () => clearTimeout(late));
  const reader = new Arrivals(plain);
  const started = await startup(plain, reader, options, shared.running);
  if (!started) return;
  const { socket, arrivals, parameters } = started;
  try {
    const { principal, again } = await signIn(socket, arrivals, parameters, options);
    clearTimeout(late);
    const session = new Session(
      { layer: options.layer, engine: shared.engine, principal, maxRows: options.maxRows },
      shared.catalogues,
      again,
    );
    applyStartup(session, parameters);
    arrivals.buffer.trusted();
    const connection = new Connection(socket, arrivals.buffer, session, options.log, options.maxStatementMs);
    entry.connection = connection;
    arrivals.onData = () => connection.pump();
    socket.write(
      Buffer.concat([
        backend.authenticationOk(),
        ...session.settings.reported().map(([name, value]) => backend.parameterStatus(name, value)),
        backend.backendKey(pid, secret),
        backend.ready('I'),
      ]),
    );
    connection.pump();
  } catch (error) {
    socket.end(backend.errorResponse(toSqlError(error), 'FATAL'));
  }
}

function freePid(running: ReadonlyMap<number, Running>): number {
  for (;;) {
    const pid = randomInt(1, 2 ** 31 - 1);
    if (!running.has(pid)) return pid;
  }
}

/** Bytes of a socket as they come, for whoever waits. */
class Arrivals {
  readonly buffer = new FrontendBuffer();
  onData: () => void = () => undefined;
  readonly #socket: Socket;
  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', this.#take);
    socket.on('close', () => this.onData());
  }
  readonly #take = (chunk: Buffer): void => {
    this.buffer.push(chunk);
    this.onData();
  };
  /** The socket is handed over to TLS. */
  release(): void {
    this.#socket.off('data', this.#take);
  }
  async until<T>(read: () => T | null): Promise<T> {
    for (;;) {
      const found = read();
      if (found !== null) return found;
      if (this.#socket.destroyed || this.#socket.readableEnded) throw new Error('the client went away');
      const { promise, resolve } = Promise.withResolvers<void>();
      this.onData = resolve;
      this.#socket.once('end', resolve);
      await promise;
      this.#socket.off('end', resolve);
    }
  }
}

interface Started {
  readonly socket: Socket;
  readonly arrivals: Arrivals;
  readonly parameters: ReadonlyMap<string, string>;
}

async function startup(
  plain: Socket,
  first: Arrivals,
  options: SqlApiOptions,
  running: ReadonlyMap<number, Running>,
): Promise<Started | null> {
  let [socket, arrivals]: [Socket, Arrivals] = [plain, first];
  for (;;) {
    const { code, body } = await arrivals.until(() => arrivals.buffer.startup());
    if (code === CANCEL) {
      const target = body.length >= 8 ? running.get(body.readInt32BE(0)) : undefined;
      if (target?.secret === body.readInt32BE(4)) target.connection?.cancel();
      socket.end();
      return null;
    }
    if (code === GSS || (code === SSL && (!options.tls || socket !== plain))) {
      socket.write('N');
      continue;
    }
    if (code === SSL) {
      // Anything sent before the handshake would be taken for part of the encrypted stream.
      if (arrivals.buffer.length > 0) throw new Error('bytes before the TLS handshake');
      arrivals.release();
      plain.write('S');
      socket = new TLSSocket(plain, { isServer: true, cert: options.tls!.cert, key: options.tls!.key });
      socket.on('error', () => plain.destroy());
      arrivals = new Arrivals(socket);
      continue;
    }
    if (code >> 16 !== 3) {
      socket.end(
        backend.errorResponse(
          new SqlError('0A000', `unsupported frontend protocol ${code >> 16}.${code & 0xffff}`),
          'FATAL',
        ),
      );
      return null;
    }
    const parameters = startupParameters(body);
    const unknown = [...parameters.keys()].filter((name) => name.startsWith('_pq_.'));
    if ((code & 0xffff) > 0 || unknown.length > 0) socket.write(backend.negotiateProtocol(0, unknown));
    return { socket, arrivals, parameters };
  }
}

async function signIn(
  socket: Socket,
  arrivals: Arrivals,
  parameters: ReadonlyMap<string, string>,
  options: SqlApiOptions,
): Promise<{ principal: Principal; again: () => Promise<Principal | null> }> {
  const user = parameters.get('user');
  if (!user) throw new SqlError('28000', 'no user name given');
  const database = parameters.get('database') ?? DATABASE;
  const address = socket.remoteAddress ?? '';
  if (!(socket instanceof TLSSocket) && isIP(address) !== 0 && !isLoopback(address))
    throw new SqlError('28000', 'the password would travel in the clear', {
      hint: 'Connect with sslmode=require; the operator sets sql.tls.',
    });
  if (parameters.has('replication')) throw new SqlError('0A000', 'replication is not served');
  socket.write(backend.askPassword());
  const message = await arrivals.until(() => arrivals.buffer.message());
  if (message.kind !== 'password') throw new SqlError('08P01', 'a password was expected');
  const again = (): Promise<Principal | null> => options.authenticate(user, message.password, address);
  const principal = await again();
  if (!principal)
    throw new SqlError('28P01', `password authentication failed for user "${user}"`, {
      hint: 'The password is an API key: bac keys create.',
    });
  if (database !== DATABASE && database !== user && database !== 'postgres')
    throw new SqlError('3D000', `database "${database}" does not exist`, {
      hint: `The database is "${DATABASE}".`,
    });
  return { principal, again };
}

/** Settings of the start-up message: by name, and as `-c name=value` in `options`. */
function applyStartup(session: Session, parameters: ReadonlyMap<string, string>): void {
  for (const [name, value] of parameters)
    if (!['user', 'database', 'options', 'replication'].includes(name) && !name.startsWith('_pq_.'))
      session.settings.set(name, value);
  const given = parameters.get('options') ?? '';
  for (const [, name, value] of given.matchAll(/(?:-c\s*|--)([\w.]+)=((?:\\.|\S)*)/g))
    session.settings.set(name!, value!.replace(/\\(.)/g, '$1'));
}
