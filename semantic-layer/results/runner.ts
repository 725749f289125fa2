import type { Freshness, SemanticSql, Warehouse } from '#kernel';
import { BoundedCache } from './cache.ts';
import type { TableClock } from './clock.ts';
import { parseRows, ROW_SETTINGS, type Rows } from './rows.ts';

/** One statement for the warehouse, its values in place. */
export interface Statement {
  readonly sql: string;
  /** Bound to its `{name:Type}` placeholders; what does not occur in it is left out. */
  readonly params: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Run it even if its result is known. */
  readonly fresh?: boolean;
  /** Finds a statement with the same rows that reads less; absent: it is to be run itself. */
  readonly shortcut?: () => Promise<Shortcut | null>;
}

/** Another statement that gives the same rows, from a roll-up. */
export interface Shortcut {
  readonly rollup: string;
  /** Each gives the same; in the order in which they are tried. */
  readonly statements: readonly string[];
  answered(): void;
  /** One failed; after the last one the statement itself runs. */
  failed(thrown: unknown, isLast: boolean): void;
}

export interface Outcome extends Rows {
  readonly tables: readonly string[];
  /** Of the tables before the statement ran; see TableClock. */
  readonly stamp: number;
  /** As known before it ran. */
  readonly freshness: Freshness;
  /** When it was read, ms since 1970. */
  readonly readAt: number;
  readonly cached: boolean;
  /** Roll-up it was read from. */
  readonly rollup: string | null;
  /** The same statement gives the same rows as long as no table changes. */
  readonly repeatable: boolean;
}

/** Refuses what a principal may not run now; resolves to what is called when it is over. */
export type Admit = (statement: Statement) => Promise<() => void>;

export interface RunnerOptions {
  readonly warehouse: Warehouse;
  readonly clock: TableClock;
  readonly maxBytes: number;
  readonly maxSeconds: number;
}

/** Depends on more than the tables. */
const VOLATILE =
  /\b(now|now64|today|yesterday|utc_?timestamp|current_?(?:date|timestamp)|rand\w*|generate\w+|sleep\w*)\s*\(/i;
const MAX_RESULT_BYTES = 512 * 1024 * 1024;

interface Flight {
  readonly outcome: Promise<Outcome>;
  readonly abort: AbortController;
  waiting: number;
}

/**
 * Runs statements on the warehouse behind a cache of their results. A result is good until rows of its tables
 * change; identical statements under way share one run, which is cancelled when the last who waits has gone.
 */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #cache: BoundedCache<Outcome>;
  readonly #flights = new Map<string, Flight>();
  #hits = 0;
  #runs = 0;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#cache = new BoundedCache(options.maxBytes);
  }

  stats() {
    const { size: entries, bytes } = this.#cache;
    return { entries, bytes, hits: this.#hits, runs: this.#runs };
  }

  /** What would run, with the parameters it needs and the tables it reads. */
  explain(statement: Statement): SemanticSql {
    const { sql } = statement;
    return { sql, params: occurring(statement), tables: this.#options.clock.tablesIn(sql) };
  }

  async run(statement: Statement, admit: Admit): Promise<Outcome> {
    const { clock } = this.#options;
    const params = occurring(statement);
    const tables = clock.tablesIn(statement.sql);
    const key = `${JSON.stringify(params)} ${statement.sql}`;
    const known = statement.fresh ? undefined : this.#cache.get(key);
    const wanted = known && (statement.shortcut || known.rollup === null);
    if (wanted && clock.stamp(tables) === known.stamp) {
      this.#hits += 1;
      return { ...known, cached: true };
    }
    statement.signal?.throwIfAborted();
    // One that began before the tables moved on would give what was true then.
    const at = `${clock.stamp(tables)} ${statement.shortcut ? '' : 'raw '}${key}`;
    let flight = this.#flights.get(at);
    if (!flight) {
      flight = this.#start(key, at, statement, tables, admit);
      this.#flights.set(at, flight);
    }
    return this.#join(flight, statement.signal);
  }

  #start(key: string, at: string, statement: Statement, tables: readonly string[], admit: Admit): Flight {
    const abort = new AbortController();
    const { clock } = this.#options;
    const about = { tables, stamp: clock.stamp(tables), freshness: clock.freshness(tables), cached: false };
    const repeatable = tables.length > 0 && !VOLATILE.test(statement.sql);
    const work = async (): Promise<Outcome> => {
      try {
        const read = (await this.#short(statement, abort.signal, admit)) ?? {
          ...(await this.#admitted(statement, abort.signal, admit)),
          rollup: null,
        };
        const outcome = { ...read, ...about, repeatable };
        if (repeatable) this.#cache.set(key, outcome, outcome.bytes * 3);
        return outcome;
      } finally {
        this.#flights.delete(at);
      }
    };
    const outcome = work();
    outcome.catch(() => {}); // whoever waits is told
    return { outcome, abort, waiting: 0 };
  }

  /** By way of a roll-up; null if there is none, or if it could not answer. */
  async #short(statement: Statement, signal: AbortSignal, admit: Admit) {
    const shortcut = await statement.shortcut?.();
    if (!shortcut) return null;
    const { rollup, statements } = shortcut;
    for (const [index, sql] of statements.entries()) {
      try {
        const rows = await this.#admitted({ ...statement, sql }, signal, admit);
        shortcut.answered();
        return { ...rows, rollup };
      } catch (thrown) {
        if (signal.aborted) throw thrown;
        shortcut.failed(thrown, index === statements.length - 1);
      }
    }
    return null;
  }

  async #admitted(
    statement: Statement,
    signal: AbortSignal,
    admit: Admit,
  ): Promise<Rows & { readAt: number }> {
    const running = { ...statement, params: occurring(statement) };
    const release = await admit(running);
    try {
      return await this.#read(running, signal);
    } finally {
      release();
    }
  }

  async #join(flight: Flight, signal: AbortSignal | undefined): Promise<Outcome> {
    flight.waiting += 1;
    const gone = Promise.withResolvers<never>();
    const leave = (): void => gone.reject(signal?.reason);
    signal?.addEventListener('abort', leave, { once: true });
    try {
      return await Promise.race([flight.outcome, gone.promise]);
    } finally {
      signal?.removeEventListener('abort', leave);
      flight.waiting -= 1;
      if (flight.waiting === 0) flight.abort.abort();
    }
  }

  async #read({ sql, params }: Statement, signal: AbortSignal): Promise<Rows & { readAt: number }> {
    this.#runs += 1;
    const readAt = Date.now();
    const stream = await this.#options.warehouse.stream(sql, 'JSONCompact', {
      params,
      settings: {
        ...ROW_SETTINGS,
        readonly: 1,
        // What a left join does not find is NULL, as in every other database, and not '' or 0.
        join_use_nulls: 1,
        max_execution_time: this.#options.maxSeconds,
        max_result_bytes: MAX_RESULT_BYTES,
      },
      signal,
    });
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    return { ...parseRows(Buffer.concat(chunks)), readAt };
  }
}

function occurring({ sql, params }: Statement): Record<string, string> {
  return Object.fromEntries(Object.entries(params).filter(([name]) => sql.includes(`{${name}:`)));
}
