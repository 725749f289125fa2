/** Figures of one table since start. */
export interface SinkTableStats {
  readonly rows: number;
  readonly batches: number;
  readonly deadLetters: number;
  readonly lastInsertMs: number;
  /** Events wait for a snapshot or a schema. */
  readonly held: string | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** Events known to wait in the log at the last delivery. */
  readonly waiting: number;
}

export interface SinkStats {
  readonly rows: number;
  /** Average over the last ten seconds. */
  readonly rowsPerSecond: number;
  readonly batches: number;
  readonly deadLetters: number;
  readonly lastInsertMs: number;
  readonly waiting: number;
  readonly intervalMs: number;
  readonly lastError: { readonly code: string; readonly message: string; readonly table: string } | null;
  readonly tables: Readonly<Record<string, SinkTableStats>>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const WINDOW_MS = 10_000;
const SLOTS = 20;

/** Collects what `stats()` reports. */
export class Meter {
  readonly #tables = new Map<string, Mutable<SinkTableStats>>();
  readonly #slots: { at: number; rows: number }[] = [];
  #lastInsertMs = 0;
  #lastError: SinkStats['lastError'] = null;

  table(topic: string): Mutable<SinkTableStats> {
    let stats = this.#tables.get(topic);
    if (stats === undefined) {
      stats = { rows: 0, batches: 0, deadLetters: 0, lastInsertMs: 0, held: null, error: null, waiting: 0 };
      this.#tables.set(topic, stats);
    }
    return stats;
  }

  stored(topic: string, rows: number, dead: number, ms: number, waiting: number): void {
    const stats = this.table(topic);
    stats.rows += rows;
    stats.batches += 1;
    stats.deadLetters += dead;
    stats.lastInsertMs = Math.round(ms);
    stats.waiting = waiting;
    stats.held = null;
    stats.error = null;
    this.#lastInsertMs = Math.round(ms);
    const now = performance.now();
    const slot = this.#slots.at(-1);
    if (slot !== undefined && now - slot.at < WINDOW_MS / SLOTS) slot.rows += rows;
    else this.#slots.push({ at: now, rows });
    if (this.#slots.length > SLOTS + 1) this.#slots.shift();
  }

  failed(topic: string, error: { code: string; message: string }): void {
    this.table(topic).error = { code: error.code, message: error.message };
    this.#lastError = { code: error.code, message: error.message, table: topic };
  }

  read(intervalMs: number): SinkStats {
    const now = performance.now();
    const recent = this.#slots.filter((slot) => now - slot.at < WINDOW_MS);
    const span = Math.max((now - (recent[0]?.at ?? now)) / 1000, 1);
    const tables = Object.fromEntries([...this.#tables].map(([topic, stats]) => [topic, { ...stats }]));
    const sum = (pick: (stats: SinkTableStats) => number): number =>
      Object.values(tables).reduce((total, stats) => total + pick(stats), 0);
    return {
      rows: sum((stats) => stats.rows),
      rowsPerSecond: Math.round(recent.reduce((total, slot) => total + slot.rows, 0) / span),
      batches: sum((stats) => stats.batches),
      deadLetters: sum((stats) => stats.deadLetters),
      lastInsertMs: this.#lastInsertMs,
      waiting: sum((stats) => stats.waiting),
      intervalMs: Math.round(intervalMs),
      lastError: this.#lastError,
      tables,
    };
  }
}
