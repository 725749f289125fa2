import { type ChangeLog, CONTROL_TOPIC, type ControlMessage, type TableId } from '#kernel';
import type { Moved } from './apply.ts';

/** An answer that has not come is asked for again after this long. */
const ASK_AGAIN_MS = 10_000;
/** Partitions whose first event is not understood wait, so there are few questions at a time. */
const MAX_KEPT = 20_000;
/** Rows in one question. */
const MAX_ROWS = 200;

/** Questions to capture: look at the source's catalog, an event does not fit what is registered. */
export class Looks {
  readonly #log: ChangeLog;
  /** By question: when it was asked by the monotonic clock, Infinity = answered. */
  readonly #asked = new Map<string, number>();

  readonly #ends = new Map<string, number>();

  constructor(log: ChangeLog) {
    this.#log = log;
  }

  /** True once the catalog has been looked at since the first call for this record. */
  async has(id: TableId, partition: number, offset: number, columns: readonly string[]): Promise<boolean> {
    const { source, schema, table } = id;
    const ask = `${source}.${schema}.${table}/${partition}/${offset}`;
    const at = this.#asked.get(ask);
    if (at === Number.POSITIVE_INFINITY) return true;
    if (at !== undefined && performance.now() - at < ASK_AGAIN_MS) return false;
    this.#keep(ask, performance.now());
    await this.#tell({ type: 'look', source, schema, table, ask, columns });
    return false;
  }

  /**
   * Has rows completed from the source, some at a time. Gives the lowest index of those that are not yet
   * (null = all are), and the offset behind all completed so far.
   */
  async completed(
    id: TableId,
    partition: number,
    rows: readonly Moved[],
  ): Promise<{ readonly waiting: number | null; readonly end: number }> {
    const { source, schema, table } = id;
    const name = (row: Moved): string => `${source}.${schema}.${table}/${partition}/${row.offset}#`;
    const open = rows.filter((row) => this.#asked.get(name(row)) !== Number.POSITIVE_INFINITY);
    const end = Math.max(0, ...rows.map((row) => this.#ends.get(name(row)) ?? 0));
    if (open.length === 0) return { waiting: null, end };
    const now = performance.now();
    const due = open
      .filter((row) => now - (this.#asked.get(name(row)) ?? Number.NEGATIVE_INFINITY) >= ASK_AGAIN_MS)
      .slice(0, MAX_ROWS);
    if (due.length > 0) {
      for (const row of due) this.#keep(name(row), now);
      // Each is named in the answer, so that it holds for exactly these.
      const ask = JSON.stringify(due.map(name));
      const wanted = due.map((one) => one.row);
      await this.#tell({ type: 'complete', source, schema, table, ask, partition, rows: wanted });
    }
    return { waiting: Math.min(...open.map(({ index }) => index)), end };
  }

  answered(ask: string, end = 0): void {
    const names = ask.startsWith('[') ? (JSON.parse(ask) as string[]) : [ask];
    for (const one of names) {
      if (!this.#asked.has(one)) continue;
      this.#keep(one, Number.POSITIVE_INFINITY);
      this.#ends.set(one, end);
    }
  }

  async #tell(message: ControlMessage): Promise<void> {
    const records = [{ key: null, value: Buffer.from(JSON.stringify(message)) }];
    await this.#log.append([{ topic: CONTROL_TOPIC, partition: 0, records }]);
  }

  #keep(ask: string, at: number): void {
    this.#asked.delete(ask);
    this.#asked.set(ask, at);
    for (const oldest of this.#asked.keys()) {
      if (this.#asked.size <= MAX_KEPT) break;
      this.#asked.delete(oldest);
      this.#ends.delete(oldest);
    }
  }
}
