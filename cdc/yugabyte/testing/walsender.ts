import type { Socket } from 'node:net';
import { encode } from '../../pgoutput/testing.ts';
import { CAPTURE_RULES, violations } from './rules.ts';
import type { StandInSlot, StandInTransaction } from './slot.ts';
import type { StandIn } from './stand-in.ts';
import { backend } from './wire.ts';

const KEEPALIVE_MS = 200;

/** One replication connection: simple queries until START_REPLICATION, then the slot's transactions. */
export class Walsender {
  readonly #standIn: StandIn;
  readonly #socket: Socket;
  #slot: StandInSlot | null = null;
  #sent = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(standIn: StandIn, socket: Socket) {
    this.#standIn = standIn;
    this.#socket = socket;
    socket.write(backend.welcome());
    socket.on('close', () => this.#end());
  }

  take(tag: string, body: Buffer): void {
    if (tag === 'Q') void this.#query(body.toString('utf8', 0, body.length - 1));
    else if (tag === 'd' && body[0] === 0x72) this.#status(body);
    else if (tag === 'c') this.#socket.write(backend.copyDone());
    else if (tag === 'X') this.#socket.end();
  }

  async #query(sql: string): Promise<void> {
    this.#standIn.record('replication', sql);
    const broken = violations(sql, CAPTURE_RULES);
    if (broken[0]) {
      this.#socket.write(Buffer.concat([backend.error('0A000', broken[0].why), backend.ready()]));
      return;
    }
    const start = /^START_REPLICATION SLOT "([^"]+)" LOGICAL ([0-9A-F]+)\/([0-9A-F]+) /.exec(sql);
    if (!start) {
      this.#socket.write(backend.done('SET'));
      return;
    }
    const slot = this.#standIn.slots.get(start[1]!);
    if (!slot || slot.expired) {
      const error = slot
        ? backend.error('XX000', `CDCSDK stream ${slot.name} is expired`)
        : backend.error('42704', `replication slot "${start[1]}" does not exist`);
      this.#socket.write(Buffer.concat([error, backend.ready()]));
      return;
    }
    this.#slot = slot;
    slot.readers += 1;
    this.#socket.write(backend.copyBoth());
    this.#timer = setInterval(() => this.#keepalive(false), KEEPALIVE_MS);
    await this.#stream(slot);
  }

  async #stream(slot: StandInSlot): Promise<void> {
    const described = new Map<number, unknown>();
    while (!this.#socket.destroyed && this.#slot) {
      const { transactions, more } = slot.after(this.#sent);
      for (const transaction of transactions) {
        for (const message of messagesOf(transaction, described)) {
          if (this.#socket.destroyed || this.#standIn.cuts()) {
            this.#socket.destroy();
            return;
          }
          if (!this.#socket.write(message)) await this.#drained();
        }
        this.#sent = transaction.commitLsn;
      }
      if (transactions.length === 0) await more;
    }
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done).off('close', done);
        resolve();
      };
      this.#socket.once('drain', done).once('close', done);
      if (this.#socket.destroyed) done();
    });
  }

  #status(body: Buffer): void {
    const slot = this.#slot;
    if (!slot) return;
    slot.lastRead = performance.now();
    slot.confirm(Number(body.readBigUInt64BE(9)));
    if (body[33] === 1) this.#keepalive(false);
  }

  #keepalive(answer: boolean): void {
    if (!this.#socket.destroyed && this.#slot) this.#socket.write(backend.keepalive(this.#sent, answer));
  }

  #end(): void {
    if (this.#timer) clearInterval(this.#timer);
    if (!this.#slot) return;
    this.#slot.readers -= 1;
    this.#slot.lastRead = performance.now();
    this.#slot = null;
  }
}

/** A transaction as it goes over the wire; relations described the first time, and anew when they changed. */
function* messagesOf(
  { beginLsn, commitLsn, endLsn, committedAt, xid, changes }: StandInTransaction,
  described: Map<number, unknown>,
): Generator<Buffer> {
  yield encode.frame(beginLsn, encode.begin(commitLsn, committedAt, xid));
  for (const { lsn, relation, message } of changes) {
    if (described.get(relation.oid) !== relation) {
      described.set(relation.oid, relation);
      yield encode.frame(lsn, encode.relation(relation));
    }
    yield encode.frame(lsn, message);
  }
  yield encode.frame(commitLsn, encode.commit(commitLsn, endLsn, committedAt));
}
