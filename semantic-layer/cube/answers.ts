import type { Freshness } from '#kernel';
import { BoundedCache, type Outcome, type TableClock } from '../results/index.ts';
import type { Range } from './ranges.ts';
import type { Request } from './requests.ts';

/** An answer in Cube's format as it is sent. */
export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** What was read stands on these tables: it is good as long as their stamp is the same. */
type Basis = Pick<Outcome, 'tables' | 'stamp'>;

/** An answer with what it takes to tell whether there may be another. */
export interface LoadedAnswer extends Answer {
  /** Cube's JSON, up to its closing brace. */
  readonly data: Buffer;
  readonly basis: readonly Basis[];
  /** Ranges such as `today`, and what they meant; null: something else in it depends on the moment. */
  readonly ranges: readonly Range[] | null;
}

/** A finished answer, kept under the very text that was asked. */
interface Kept {
  /** The answer's JSON without its closing brace. */
  readonly head: Buffer;
  readonly tables: readonly string[];
  readonly stamp: number;
  readonly truncated: boolean;
  readonly rollups: readonly string[];
  /** Ranges such as `last 7 days`, and what they meant. */
  readonly ranges: readonly Range[];
  readonly basis: readonly Basis[];
  /** As it was last given again, whole: the same bytes serve until freshness has moved. */
  again: { readonly completeUpTo: string | null; readonly body: Buffer } | null;
}

/** Whether relative ranges mean now what they meant. */
export type MeanTheSame = (ranges: readonly Range[]) => Promise<boolean>;

/**
 * Answers that can be given again without Cube: the same question to the same model for the same parameters, while
 * no table has changed and relative ranges mean the same days.
 */
export class Answers {
  readonly #kept: BoundedCache<Kept>;
  readonly #clock: TableClock;
  readonly #mean: MeanTheSame;
  #hits = 0;

  constructor(clock: TableClock, maxBytes: number, mean: MeanTheSame) {
    this.#kept = new BoundedCache(maxBytes);
    this.#clock = clock;
    this.#mean = mean;
  }

  stats() {
    return { entries: this.#kept.size, bytes: this.#kept.bytes, hits: this.#hits };
  }

  async get(key: string): Promise<LoadedAnswer | null> {
    const kept = this.#kept.get(key);
    if (!kept) return null;
    const same = kept.ranges.length === 0 || (await this.#mean(kept.ranges));
    if (!same || this.#clock.stamp(kept.tables) !== kept.stamp) {
      this.#kept.delete(key);
      return null;
    }
    this.#hits += 1;
    const freshness = this.#clock.freshness(kept.tables);
    if (kept.again?.completeUpTo !== freshness.completeUpTo)
      kept.again = { ...freshness, body: this.#close(kept, true, freshness) };
    return { status: 200, body: kept.again.body, data: kept.head, basis: kept.basis, ranges: kept.ranges };
  }

  /** Completes Cube's JSON with where the numbers come from, and keeps it if it holds for longer. */
  finish(key: string | null, json: Buffer, request: Request, ranges: readonly Range[] | null): LoadedAnswer {
    const { outcomes, truncated } = request;
    const tables = [...new Set(outcomes.flatMap((one) => one.tables))].sort();
    const head = json.subarray(0, json.lastIndexOf('}'));
    const kept: Kept = {
      head,
      tables,
      stamp: this.#clock.stamp(tables),
      truncated,
      rollups: rollupsOf(outcomes),
      ranges: ranges ?? [],
      basis: outcomes.map(({ tables, stamp }) => ({ tables, stamp })),
      again: null,
    };
    const repeatable = outcomes.length > 0 && outcomes.every((one) => one.repeatable);
    if (key !== null && ranges !== null && repeatable && stillTrue(this.#clock, outcomes))
      this.#kept.set(key, kept, 2 * json.length + 600);
    const cached = outcomes.every((one) => one.cached);
    const body = this.#close(kept, cached, freshnessOf(this.#clock, outcomes));
    return { status: 200, body, data: head, basis: kept.basis, ranges: repeatable ? ranges : null };
  }

  #close({ head, tables, truncated, rollups }: Kept, cached: boolean, freshness: Freshness): Buffer {
    const tail = JSON.stringify({ freshness, cached, tables, truncated, rollups });
    return Buffer.concat([head, Buffer.from(`,${tail.slice(1)}`)]);
  }
}

/** None of the tables has changed since. */
export const stillTrue = (clock: TableClock, basis: readonly Basis[]): boolean =>
  basis.every(({ tables, stamp }) => clock.stamp(tables) === stamp);

/** Names of the roll-ups that the numbers come from. */
export const rollupsOf = (outcomes: readonly Outcome[]): string[] =>
  [...new Set(outcomes.flatMap(({ rollup }) => rollup ?? []))].sort();

/** Up to when the answer is complete: as known now if nothing it stands on has moved, else as it was when it was read. */
export function freshnessOf(clock: TableClock, outcomes: readonly Outcome[]): Freshness {
  const all = outcomes.map((one) => (stillTrue(clock, [one]) ? clock.freshness(one.tables) : one.freshness));
  const times = all.map(({ completeUpTo }) => completeUpTo);
  return { completeUpTo: times.includes(null) ? null : (times.toSorted()[0] ?? null) };
}
