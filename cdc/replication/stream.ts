import type { Socket } from 'node:net';
import type pg from 'pg';
import { HubError, type Logger, pgIdent, pgLiteral, transientError } from '#kernel';
import { connectSource, SESSION_SETTINGS } from '../catalog/index.ts';
import { formatLsn, lsnOf } from '../pgoutput/index.ts';
import { parseFailure, sourceError } from './errors.ts';
import { Frames } from './frames.ts';

export interface ReplicationOptions {
  readonly url: string;
  readonly slot: string;
  readonly publications: readonly string[];
  /** Where to start; 0 = where the slot stands. The server never goes back before the slot's position. */
  readonly from?: number;
  readonly log: Logger;
  /** How often the position is reported when nothing else is said. Default 5 s. */
  readonly statusMs?: number;
  /** Silence after which the connection counts as dead. Default 30 s. */
  readonly deadMs?: number;
}

/** Chunks read ahead of the consumer; beyond it the socket is paused and TCP holds the server back. */
const READ_AHEAD = 1024 * 1024;
/** Acknowledgements closer together than this are sent as one. */
const ACK_MS = 50;
const EPOCH_US = 946_684_800_000_000;

/** Settings that fix the text form of values (kernel/change-event.ts): the snapshot's own, so that both agree. */
const SESSION = ["SET client_encoding = 'UTF8'", 'SET statement_timeout = 0', ...SESSION_SETTINGS];

/**
 * Opens a logical replication stream (pgoutput, protocol 1) on an existing slot.
 * Errors: SOURCE_AUTH_FAILED, SOURCE_DATABASE_MISSING, SOURCE_NO_REPLICATION_RIGHT (user);
 * SLOT_MISSING, SLOT_IN_USE, SLOT_LOST, SOURCE_CONNECTION_LOST (transient).
 */
export async function openReplication(options: ReplicationOptions): Promise<ReplicationStream> {
  const config: pg.ClientConfig & { replication: string } = {
    replication: 'database',
    application_name: 'bac-capture',
    keepAlive: true,
  };
  let client: pg.Client | undefined;
  try {
    client = await connectSource(options.url, config);
    for (const statement of SESSION) await client.query(statement);
  } catch (error) {
    client?.end().catch(() => {}); // broken already
    throw sourceError(error);
  }
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  const replication = new ReplicationStream(stream, options);
  await replication.open();
  return replication;
}

/**
 * The copy-both stream as a cursor. `receive()` steps to the next message already here; when it says
 * false, `wait()` waits for more (false: the stream was stopped). After `receive()`:
 * `kind` 'change': `lsn` is the change's position and `buffer[start..end)` one pgoutput message,
 * valid until the next `receive()`. `kind` 'keepalive': the server has sent everything up to `lsn`
 * by its clock `serverTime` (microseconds since 1970).
 *
 * A keep-alive that asks for an answer gets it before the next message is given out, after the
 * consumer had the chance to acknowledge. Nothing is acknowledged but what `acknowledge` was told.
 */
export class ReplicationStream {
  kind: 'change' | 'keepalive' = 'keepalive';
  lsn = 0;
  serverTime = 0;
  #acknowledged = 0;
  readonly #socket: Socket;
  readonly #options: ReplicationOptions;
  readonly #frames = new Frames();
  #chunks: Buffer[] = [];
  #queued = 0;
  #paused = false;
  #answer = false;
  #copying = false;
  #ending = false;
  #ended = false;
  #failure: HubError | null = null;
  #wake: (() => void) | null = null;
  #lastHeard = performance.now();
  #ackTimer: NodeJS.Timeout | null = null;
  #statusTimer: NodeJS.Timeout | null = null;

  constructor(socket: Socket, options: ReplicationOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.removeAllListeners('data');
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#fail(sourceError(error)));
    socket.on('close', () => this.#close());
  }

  get buffer(): Buffer {
    return this.#frames.buffer;
  }

  /** Of a change: where its pgoutput message starts in `buffer`. */
  get start(): number {
    return this.#frames.start + 25;
  }

  get end(): number {
    return this.#frames.end;
  }

  /** Bytes received and not yet given out. 0 = the consumer has caught up with the socket. */
  get waitingBytes(): number {
    return this.#queued;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Sends START_REPLICATION; resolves when the server streams. */
  async open(): Promise<void> {
    const { slot, publications, from = 0, statusMs = 5000, deadMs = 30_000 } = this.#options;
    const names = pgLiteral(publications.map(pgIdent).join(',')).trim();
    const command = `START_REPLICATION SLOT ${pgIdent(slot)} LOGICAL ${formatLsn(from)} (proto_version '1', publication_names ${names})`;
    const text = Buffer.from(`${command}\0`);
    const header = Buffer.alloc(5);
    header[0] = 0x51;
    header.writeInt32BE(text.length + 4, 1);
    this.#socket.write(Buffer.concat([header, text]));
    this.#statusTimer = setInterval(() => this.#tick(statusMs, deadMs), statusMs);
    try {
      while (!this.#copying) {
        if (this.receive()) throw new HubError('WIRE_MALFORMED', 'Data came before the stream was open.');
        if (!this.#copying && !(await this.wait())) {
          throw transientError('SOURCE_CONNECTION_LOST', 'The source closed the stream.');
        }
      }
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  receive(): boolean {
    if (this.#failure) throw this.#failure;
    if (this.#answer) {
      this.#answer = false;
      this.#sendStatus(false);
    }
    const frames = this.#frames;
    while (frames.next()) {
      if (frames.tag === 0x64) {
        if (this.#copyData()) return true;
      } else {
        this.#control();
        if (this.#copying && frames.tag === 0x57) return false;
      }
    }
    return false;
  }

  /** Resolves true when there is more to `receive`, false after a clean stop. Rejects when the stream broke. */
  async wait(): Promise<boolean> {
    for (;;) {
      if (this.#failure) throw this.#failure;
      const chunk = this.#chunks.shift();
      if (chunk) {
        this.#queued -= chunk.length;
        if (this.#paused && this.#queued < READ_AHEAD / 2) {
          this.#paused = false;
          this.#lastHeard = performance.now();
          this.#socket.resume();
        }
        this.#frames.push(chunk);
        return true;
      }
      if (this.#ended) return false;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Everything up to `lsn` is durable downstream. Never goes back. */
  acknowledge(lsn: number): void {
    if (lsn <= this.#acknowledged) return;
    this.#acknowledged = lsn;
    this.#ackTimer ??= setTimeout(() => this.#sendStatus(false), ACK_MS);
  }

  /** Asks the server for a keep-alive now: its position and its clock. */
  requestKeepalive(): void {
    this.#sendStatus(true);
  }

  /** Ends the copy cleanly: last position, CopyDone, what the server still sends is dropped. */
  async stop(graceMs = 2000): Promise<void> {
    if (this.#ended) return;
    this.#ending = true;
    this.#sendStatus(false);
    this.#chunks = [];
    this.#queued = 0;
    this.#socket.write(Buffer.from([0x63, 0, 0, 0, 4]));
    this.#socket.end(Buffer.from([0x58, 0, 0, 0, 4]));
    this.#socket.resume();
    const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
    const timer = setTimeout(() => this.destroy(), graceMs);
    await closed;
    clearTimeout(timer);
  }

  /** Drops the connection at once. */
  destroy(): void {
    this.#ending = true;
    this.#socket.destroy();
    this.#close();
  }

  #copyData(): boolean {
    const { buffer, start, end } = this.#frames;
    const kind = buffer[start];
    if (kind === 0x77 && end - start > 25) {
      this.kind = 'change';
      this.lsn = lsnOf(buffer.readUInt32BE(start + 1), buffer.readUInt32BE(start + 5));
      return true;
    }
    if (kind === 0x6b && end - start === 18) {
      this.kind = 'keepalive';
      this.lsn = lsnOf(buffer.readUInt32BE(start + 1), buffer.readUInt32BE(start + 5));
      this.serverTime = Number(buffer.readBigInt64BE(start + 9)) + EPOCH_US;
      this.#answer = buffer[start + 17] === 1;
      return true;
    }
    throw new HubError('WIRE_MALFORMED', `Unknown replication message of ${end - start} bytes.`);
  }

  #control(): void {
    const { tag, buffer, start, end } = this.#frames;
    if (tag === 0x57) this.#copying = true;
    else if (tag === 0x45) {
      const failure = sourceError(parseFailure(buffer.subarray(start, end)));
      this.#fail(failure);
      throw failure;
    } else if (tag === 0x63) {
      const failure = transientError('SOURCE_CONNECTION_LOST', 'The source ended the stream.');
      this.#fail(failure);
      throw failure;
    }
    // Notices, parameter reports and the end of the command need no answer.
  }

  #take(chunk: Buffer): void {
    this.#lastHeard = performance.now();
    if (this.#ending) return;
    this.#chunks.push(chunk);
    this.#queued += chunk.length;
    if (this.#queued > READ_AHEAD && !this.#paused) {
      this.#paused = true;
      this.#socket.pause();
    }
    this.#rouse();
  }

  #rouse(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  #tick(statusMs: number, deadMs: number): void {
    const silent = performance.now() - this.#lastHeard;
    if (!this.#paused && silent > deadMs) {
      this.#fail(
        transientError('SOURCE_CONNECTION_LOST', `The source was silent for ${Math.round(silent)} ms.`),
      );
      return;
    }
    this.#sendStatus(silent > statusMs);
  }

  #sendStatus(requestReply: boolean): void {
    if (this.#ackTimer) clearTimeout(this.#ackTimer);
    this.#ackTimer = null;
    if (!this.#copying || !this.#socket.writable) return;
    const status = Buffer.alloc(39);
    status[0] = 0x64;
    status.writeInt32BE(38, 1);
    status[5] = 0x72;
    const lsn = BigInt(this.#acknowledged);
    status.writeBigUInt64BE(lsn, 6);
    status.writeBigUInt64BE(lsn, 14);
    status.writeBigUInt64BE(lsn, 22);
    status.writeBigInt64BE(BigInt(Date.now() * 1000 - EPOCH_US), 30);
    status[38] = requestReply ? 1 : 0;
    this.#socket.write(status);
  }

  #fail(failure: HubError): void {
    if (!this.#ending) this.#failure ??= failure;
    this.#socket.destroy();
    this.#close();
  }

  #close(): void {
    if (this.#statusTimer) clearInterval(this.#statusTimer);
    if (this.#ackTimer) clearTimeout(this.#ackTimer);
    if (!this.#ending) {
      this.#failure ??= transientError('SOURCE_CONNECTION_LOST', 'The source closed the connection.');
    }
    this.#ended = true;
    this.#rouse();
  }
}
