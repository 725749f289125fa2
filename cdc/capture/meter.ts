import type { Config, HubError } from '#kernel';
import type { SlotStatus } from '../slots/index.ts';
import type { SourceState, SourceStats } from './types.ts';

/** Parts of the time the source keeps changes for a slot that does not move on. */
const RETENTION_WARN = 0.25;
const RETENTION_ALARM = 0.5;

/** Figures of one source, over all sessions of this process. */
export class Meter {
  readonly #onState: () => void;
  #state: SourceState = 'connecting';
  #error: ReturnType<HubError['toJSON']> | null = null;
  #rows = 0;
  #transactions = 0;
  #bytes = 0;
  #session = { rows: 0, transactions: 0, bytes: 0 };
  #rate = 0;
  #rateAt = performance.now();
  #rateRows = 0;
  #confirmedLsn = 0;
  #committedAt = 0;
  #lag: Pick<SourceStats, 'lagBytes' | 'retainedBytes' | 'walStatus' | 'alarm'> = {
    lagBytes: null,
    retainedBytes: null,
    walStatus: null,
    alarm: 'none',
  };

  /** `onState` is called when the state is another one. */
  constructor(onState: () => void = () => {}) {
    this.#onState = onState;
  }

  /** Counts of the session at hand, growing. */
  count(rows: number, transactions: number, bytes: number): void {
    const session = this.#session;
    this.#rows += rows - session.rows;
    this.#transactions += transactions - session.transactions;
    this.#bytes += bytes - session.bytes;
    session.rows = rows;
    session.transactions = transactions;
    session.bytes = bytes;
  }

  state(state: SourceState, error: HubError | null = null): void {
    if (state === 'connecting') this.#session = { rows: 0, transactions: 0, bytes: 0 };
    this.#error = error?.toJSON() ?? null;
    this.#become(state);
  }

  snapshotting(busy: boolean): void {
    if (this.#state === 'streaming' && busy) this.#become('snapshotting');
    else if (this.#state === 'snapshotting' && !busy) this.#become('streaming');
  }

  durable(lsn: number, committedAt: number): void {
    this.#confirmedLsn = Math.max(this.#confirmedLsn, lsn);
    this.#committedAt = Math.max(this.#committedAt, committedAt);
  }

  lag(status: SlotStatus, limits: Config['capture']): void {
    const kept = status.retainedBytes ?? status.lagBytes ?? 0;
    const { retention } = status;
    const spent = retention === null ? 0 : retention.ageMs / retention.limitMs;
    const gone = status.walStatus === 'lost' || status.walStatus === 'unreserved';
    this.#lag = {
      lagBytes: status.lagBytes,
      retainedBytes: status.retainedBytes,
      walStatus: status.walStatus,
      alarm:
        gone || kept >= limits.lagAlarmBytes || spent >= RETENTION_ALARM
          ? 'alarm'
          : kept >= limits.lagWarnBytes || spent >= RETENTION_WARN
            ? 'warn'
            : 'none',
    };
  }

  #become(state: SourceState): void {
    const before = this.#state;
    this.#state = state;
    if (state !== before) this.#onState();
  }

  /** Called about once a second: also measures the rate since the last call. */
  sample(): SourceStats {
    const now = performance.now();
    const seconds = (now - this.#rateAt) / 1000;
    if (seconds > 0.5) {
      this.#rate = Math.round((this.#rows - this.#rateRows) / seconds);
      this.#rateAt = now;
      this.#rateRows = this.#rows;
    }
    return this.stats();
  }

  stats(): SourceStats {
    return {
      state: this.#state,
      error: this.#error,
      rows: this.#rows,
      transactions: this.#transactions,
      bytes: this.#bytes,
      rowsPerSecond: this.#rate,
      confirmedLsn: this.#confirmedLsn,
      committedAt: this.#committedAt,
      ...this.#lag,
    };
  }
}
