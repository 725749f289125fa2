import { type Logger, toHubError, type Warehouse } from '#kernel';

export interface Sample {
  readonly rollup: string;
  /** The statements over the roll-up as they are now; null if it cannot be used now. */
  readonly again: () => Promise<{ readonly sql: string; readonly quick: string | null } | null>;
  readonly raw: string;
  readonly params: Readonly<Record<string, string>>;
}

export interface Checked {
  /** Questions compared. */
  readonly compared: number;
  readonly different: number;
}

export interface CheckerOptions {
  readonly warehouse: Warehouse;
  readonly logger: Logger;
  readonly onDifference: (rollup: string) => Promise<void>;
}

/** One of so many answers is compared, the first of each roll-up always. */
const EVERY = 64;
/** Questions kept for a check that is asked for. */
const MOST_KEPT = 50;
const MAX_SECONDS = 60;
const LIMIT = /\s+LIMIT \d+(?:\s+OFFSET \d+)?\s*$/i;
const ORDER = /\s+ORDER BY [^()]*$/i;

/** Compares answers of roll-ups with the raw ones, in one statement and hence over one state of the tables. */
export class Checker {
  readonly #options: CheckerOptions;
  readonly #kept = new Map<string, Sample>();
  readonly #counts = new Map<string, { compared: number; different: number }>();
  readonly #stop = new AbortController();
  #seen = 0;
  #under: Promise<unknown> | null = null;

  constructor(options: CheckerOptions) {
    this.#options = options;
  }

  counts(rollup: string): Checked {
    return this.#counts.get(rollup) ?? { compared: 0, different: 0 };
  }

  sample(sample: Sample): void {
    const key = `${sample.rollup} ${JSON.stringify(sample.params)} ${sample.raw}`;
    this.#kept.delete(key);
    this.#kept.set(key, sample);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MOST_KEPT) break;
      this.#kept.delete(oldest);
    }
    this.#seen += 1;
    const due = this.#seen % EVERY === 0 || !this.#counts.has(sample.rollup);
    if (!due || this.#under || this.#stop.signal.aborted) return;
    this.#under = this.#compare(sample)
      .catch(() => {}) // told by #compare
      .finally(() => {
        this.#under = null;
      });
  }

  /** Compares all that are kept. */
  async run(): Promise<Checked & { differences: string[] }> {
    await this.#under;
    const differences: string[] = [];
    let compared = 0;
    for (const sample of this.#kept.values()) {
      const different = await this.#compare(sample);
      if (different === null) continue;
      compared += 1;
      if (different > 0)
        differences.push(`${sample.rollup}: ${different} rows differ in ${sample.raw.slice(0, 2000)}`);
    }
    return { compared, different: differences.length, differences };
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#under;
  }

  /** Rows that only one of them has; null if it could not be compared. */
  async #compare({ rollup, again, raw, params }: Sample): Promise<number | null> {
    const { warehouse, logger, onDifference } = this.#options;
    const over = await again().catch(() => null); // said by whoever asks next
    if (over === null) return null;
    const compare = async (sql: string): Promise<number> => {
      const occurring = Object.entries(params).filter(([name]) => `${sql}${raw}`.includes(`{${name}:`));
      const [row] = await warehouse.query<{ rows: string }>(differing(raw, sql), {
        params: Object.fromEntries(occurring),
        settings: { readonly: 1, join_use_nulls: 1, max_execution_time: MAX_SECONDS },
        signal: this.#stop.signal,
      });
      return Number(row!.rows);
    };
    let different: number;
    try {
      // What would be asked: the quick one, and if that fails the other.
      const quick = over.quick === null ? null : await compare(over.quick).catch(() => null);
      different = quick ?? (await compare(over.sql));
    } catch (thrown) {
      if (!this.#stop.signal.aborted)
        logger.info(
          { rollup, reason: toHubError(thrown).message.slice(0, 300) },
          'roll-up could not be compared',
        );
      return null;
    }
    const counts = this.#counts.get(rollup) ?? { compared: 0, different: 0 };
    counts.compared += 1;
    this.#counts.set(rollup, counts);
    if (different === 0) return 0;
    counts.different += 1;
    logger.error(
      { rollup, rows: different, sql: over.sql, raw },
      'roll-up and raw answer differ: taken out of use',
    );
    await onDifference(rollup);
    return different;
  }
}

/** Without limits, which may cut different rows of one rank. */
const whole = (sql: string): string => sql.trim().replace(LIMIT, '').replace(ORDER, '');

const differing = (raw: string, sql: string): string =>
  `SELECT count() AS rows FROM (
     SELECT * EXCEPT __side, sum(__side) AS __n FROM (
       SELECT *, toInt8(1) AS __side FROM (${whole(raw)})
       UNION ALL SELECT *, toInt8(-1) AS __side FROM (${whole(sql)}))
     GROUP BY ALL HAVING __n != 0)`;
