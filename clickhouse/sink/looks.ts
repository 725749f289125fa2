import { type ChangeLog, CONTROL_TOPIC, type ControlMessage, type TableId } from '#kernel';

/** An answer that has not come is asked for again after this long. */
const ASK_AGAIN_MS = 10_000;
/** Partitions whose first event is not understood wait, so there are few questions at a time. */
const MAX_KEPT = 1000;

/** Questions to capture: look at the source's catalog, an event does not fit what is registered. */
export class Looks {
  readonly #log: ChangeLog;
  /** By question: when it was asked by the monotonic clock, Infinity = answered. */
  readonly #asked = new Map<string, number>();

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
    const message: ControlMessage = { type: 'look', source, schema, table, ask, columns };
    const records = [{ key: null, value: Buffer.from(JSON.stringify(message)) }];
    await this.#log.append([{ topic: CONTROL_TOPIC, partition: 0, records }]);
    return false;
  }

  answered(ask: string): void {
    if (this.#asked.has(ask)) this.#keep(ask, Number.POSITIVE_INFINITY);
  }

  #keep(ask: string, at: number): void {
    this.#asked.delete(ask);
    this.#asked.set(ask, at);
    for (const oldest of this.#asked.keys()) {
      if (this.#asked.size <= MAX_KEPT) break;
      this.#asked.delete(oldest);
    }
  }
}
