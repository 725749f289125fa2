import type { Relation } from '../../pgoutput/index.ts';

/** One change as the stream sends it: under its relation, as bytes of a pgoutput message. */
export interface StandInChange {
  readonly lsn: number;
  readonly relation: Relation;
  readonly message: Buffer;
}

export interface StandInTransaction {
  readonly beginLsn: number;
  readonly commitLsn: number;
  /** Begins the next transaction. */
  readonly endLsn: number;
  readonly committedAt: number;
  readonly xid: number;
  readonly changes: readonly StandInChange[];
}

/** The first transaction of a slot has this number. */
const FIRST_LSN = 2;
/** Confirmed transactions that are sent again all the same after a new connection: at least once. */
const SENT_AGAIN = 2;

/**
 * A slot of LSN type SEQUENCE: numbers count the records of this slot, are given once and stay, whoever
 * reads them how often.
 */
export class StandInSlot {
  readonly name: string;
  /** Set when the server has thrown away what the slot needed. */
  expired = false;
  /** Tables that the stream knows to be published; looked at now and then. */
  published: ReadonlySet<string> = new Set();
  confirmed = FIRST_LSN;
  /** Commit time (microseconds) of what is confirmed. */
  restartAt = Date.now() * 1000;
  lastRead = 0;
  readers = 0;
  /** The restart point stands still, as if the reader did not confirm. */
  frozen = false;
  #transactions: StandInTransaction[] = [];
  #next = FIRST_LSN;
  #wake = Promise.withResolvers<void>();

  constructor(name: string) {
    this.name = name;
  }

  append(
    changes: readonly { relation: Relation; message: Buffer }[],
    committedAt: number,
    xid: number,
  ): void {
    const kept = changes.filter(({ relation }) => this.published.has(`${relation.schema}.${relation.table}`));
    if (kept.length === 0) {
      // Nothing is left to confirm: the slot moves on with the cluster.
      if ((this.#transactions.at(-1)?.endLsn ?? 0) <= this.confirmed) this.#moveTo(committedAt);
      return;
    }
    const beginLsn = this.#next;
    const commitLsn = beginLsn + kept.length + 1;
    this.#next = commitLsn + 1;
    this.#transactions.push({
      beginLsn,
      commitLsn,
      endLsn: this.#next,
      committedAt,
      xid,
      changes: kept.map((change, index) => ({ ...change, lsn: beginLsn + 1 + index })),
    });
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  confirm(lsn: number): void {
    if (lsn <= this.confirmed) return;
    if (lsn > this.#next) throw new Error(`${lsn} was confirmed, but the last number given is ${this.#next}`);
    this.confirmed = lsn;
    const done = this.#transactions.filter(({ endLsn }) => endLsn <= lsn);
    const last = done.at(-1);
    if (last) this.#moveTo(last.committedAt);
    this.#transactions = this.#transactions.slice(Math.max(0, done.length - SENT_AGAIN));
  }

  /** Everything there is beyond `lsn`, in order; resolves `more` when there is more. */
  after(lsn: number): { transactions: readonly StandInTransaction[]; more: Promise<void> } {
    return {
      transactions: this.#transactions.filter(({ commitLsn }) => commitLsn > lsn),
      more: this.#wake.promise,
    };
  }

  #moveTo(committedAt: number): void {
    if (!this.frozen) this.restartAt = Math.max(this.restartAt, committedAt);
  }
}
