import { type AccessProfile, type Logger, toHubError, type Warehouse, type WarehouseTable } from '#kernel';
import { moved } from './build.ts';
import { type Checked, Checker } from './checker.ts';
import {
  type Candidate,
  type Defined,
  type Definition,
  defineRollup,
  fill,
  filterOver,
} from './definition.ts';
import { ROLLUP_TABLE } from './planner.ts';
import { readBuilds, readCovered, readMarks, takeOut } from './store.ts';
import { type Build, type Covered, inZone, MOVED, merged, untouched } from './tables.ts';
import { type Declared, type Right, Worker, type WorkStatus } from './worker.ts';

export interface RollupsOptions {
  readonly warehouse: Warehouse;
  readonly logger: Logger;
  /** The captured tables as they are now. */
  readonly tables: () => Promise<readonly WarehouseTable[]>;
  /** Roll-ups that the model declares, as somebody who sees everything has them; null: Cube does not take it for one. */
  readonly declared: () => Promise<
    readonly { readonly name: string; readonly candidate: Candidate | string }[]
  >;
  readonly everything: () => Promise<AccessProfile>;
  readonly right: () => Promise<Right | null>;
  /** As TableClock's: grows when stored rows of these tables have changed. */
  readonly stamp: (tables: readonly string[]) => number;
}

/** What to run instead of a raw statement: the same rows, unless it fails. */
export interface Instead {
  readonly rollup: string;
  readonly sql: string;
  /** Cheaper, and fails if rows were stored since the refresh; null: some were. */
  readonly quick: string | null;
  readonly covered: Covered;
  /** The statement as it would be now. */
  readonly again: () => Promise<Instead | null>;
}

interface Known {
  readonly build: Build;
  readonly covered: Covered;
  readonly stamp: number;
  readonly readAt: number;
}

export interface RollupStatus extends Partial<WorkStatus> {
  readonly name: string;
  readonly inUse: boolean;
  readonly rows: number;
  readonly bytes: number;
  /** Commit-like position: number of the last insert of its table that is in it. */
  readonly coveredBlock: string | null;
  readonly coveredAt: string | null;
  readonly hits: number;
  readonly fallbacks: number;
  readonly checked: Checked;
}

/** What is known of a roll-up is read again after this, or when its tables have changed. */
const TRUST_MS = 20_000;
const LOOK_AGAIN_MS = 1_000;

/** Answers from roll-ups: finds the one that fits, keeps them true, compares samples with the raw answer. */
export class Rollups {
  readonly #options: RollupsOptions;
  readonly #worker: Worker;
  readonly #checker: Checker;
  readonly #known = new Map<string, Known>();
  readonly #defined = new WeakMap<AccessProfile, Map<string, Defined>>();
  readonly #counts = new Map<string, { hits: number; fallbacks: number }>();
  /** What was covered, by roll-up, when rows were found to be stored since: so it stays until the next refresh. */
  readonly #behind = new Map<string, Covered>();
  #topics: ReadonlySet<string> = new Set();
  #builds = new Map<string, Build>();
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(options: RollupsOptions) {
    this.#options = options;
    this.#worker = new Worker({
      ...options,
      declared: () => this.#declared(),
      onKept: (name, build, covered) => this.#kept(name, build, covered),
    });
    this.#checker = new Checker({ ...options, onDifference: (name) => this.#takeOut(name) });
  }

  /** Rows of these topics' tables were stored: roll-ups that read them follow, once one has been in use here. */
  stored(topics: readonly string[]): void {
    if (topics.some((topic) => this.#topics.has(topic))) void this.#worker.wake();
  }

  /** Tables or models are others. */
  reshaped(): void {
    this.#known.clear();
    this.#builds.clear();
    this.#worker.forgive();
    if (this.#topics.size > 0) void this.#worker.wake();
  }

  /** Builds and refreshes what is behind, without a rest between; resolves when that is done. */
  work(): Promise<void> {
    return this.#worker.workNow();
  }

  /** The statement over a roll-up that gives what the raw one gives; null if there is none for this profile now. */
  async instead(profile: AccessProfile, candidates: readonly Candidate[]): Promise<Instead | null> {
    for (const candidate of candidates) {
      try {
        const found = await this.#over(profile, candidate);
        if (found) return found;
      } catch (thrown) {
        this.#options.logger.warn(
          { rollup: candidate.name, err: toHubError(thrown) },
          'roll-up could not be used',
        );
      }
    }
    return null;
  }

  /** A statement over the roll-up was answered; now and then it is compared with the raw one. */
  hit(instead: Instead, raw: string, params: Readonly<Record<string, string>>): void {
    const { rollup, again } = instead;
    this.#count(rollup).hits += 1;
    this.#checker.sample({ rollup, again, raw, params });
  }

  /** The quick statement failed, and the other one is asked. Only rows that were stored keep it from the next one. */
  notQuick({ rollup, covered }: Instead, thrown: unknown): void {
    if (toHubError(thrown).message.includes(MOVED)) this.#behind.set(rollup, covered);
  }

  /** Cube could not plan the question over a roll-up; it is asked raw. */
  unplanned(reason: string, raw: string): void {
    this.#options.logger.warn({ reason, raw: raw.slice(0, 2000) }, 'no plan over a roll-up');
  }

  /** It failed, and the raw one was asked: what is known is out of date. */
  fellBack({ rollup }: Instead, thrown: unknown): void {
    this.#count(rollup).fallbacks += 1;
    this.#forget(rollup);
    this.#options.logger.info(
      { rollup, reason: toHubError(thrown).message.slice(0, 300) },
      'asked without roll-up',
    );
    void this.#worker.wake();
  }

  /** Compares the questions that were last answered by roll-ups with the raw ones now. */
  async check(): Promise<Checked & { readonly differences: readonly string[] }> {
    return this.#checker.run();
  }

  async status(): Promise<RollupStatus[]> {
    const builds = await readBuilds(this.#options.warehouse);
    const declared = await this.#options.declared();
    return Promise.all(declared.map(({ name }) => this.#statusOf(name, builds.get(name))));
  }

  /** What this process is at with each of them; empty before it has looked. */
  kept(): { name: string; state: string; error: string | null; lastMs: number | null }[] {
    return this.#worker.all();
  }

  /** Sums over all roll-ups, of this process. */
  figures(): { answers: number; fallbacks: number; differences: number; failing: number } {
    const counts = [...this.#counts.entries()];
    return {
      answers: counts.reduce((sum, [, { hits }]) => sum + hits, 0),
      fallbacks: counts.reduce((sum, [, { fallbacks }]) => sum + fallbacks, 0),
      differences: counts.reduce((sum, [name]) => sum + this.#checker.counts(name).different, 0),
      failing: counts.filter(([name]) => this.#worker.status(name)?.state === 'failed').length,
    };
  }

  async close(): Promise<void> {
    await this.#worker.close();
    await this.#checker.close();
  }

  async #statusOf(name: string, build: Build | undefined): Promise<RollupStatus> {
    const { warehouse } = this.#options;
    const covered = build ? await readCovered(warehouse, build.prefix) : null;
    const [size] = build
      ? await warehouse.query<{ rows: string; bytes: string }>(
          `SELECT sum(total_rows) AS rows, sum(total_bytes) AS bytes FROM system.tables WHERE database = 'bac_rollups' AND name = {name:String}`,
          { params: { name: `${build.prefix}__data` } },
        )
      : [];
    return {
      name,
      ...this.#worker.status(name),
      inUse: covered !== null,
      rows: Number(size?.rows ?? 0),
      bytes: Number(size?.bytes ?? 0),
      coveredBlock: covered?.block ?? null,
      coveredAt: covered?.at ?? null,
      ...this.#count(name),
      checked: this.#checker.counts(name),
    };
  }

  async #over(profile: AccessProfile, candidate: Candidate): Promise<Instead | null> {
    const defined = this.#define(profile, candidate, await this.#options.tables());
    if (!('definition' in defined)) return null;
    const { definition } = defined;
    const filter = filterOver(definition, profile);
    if (filter === null) return null;
    const known = await this.#knownOf(definition);
    if (!known) return null;
    if (known.build.hash !== definition.hash) {
      this.#forget(definition.name);
      return null;
    }
    const { build, covered } = known;
    const { timezone } = candidate;
    // A day without a time begins where the question is asked from, and not in UTC.
    if (timezone !== 'UTC' && definition.timeIsDate) return null;
    const parts = {
      question: (table: string) =>
        candidate.question.replace(ROLLUP_TABLE, () => inZone(definition, table, timezone)),
      load: (rows: string) => fill(definition, profile, rows),
      filter,
    };
    const behind = this.#behind.get(definition.name)?.run === covered.run;
    return {
      rollup: definition.name,
      sql: merged(definition, build, covered, parts),
      quick: behind ? null : untouched(definition, build, covered, parts),
      covered,
      again: () => this.#over(profile, candidate),
    };
  }

  #define(profile: AccessProfile, candidate: Candidate, tables: readonly WarehouseTable[]): Defined {
    const kept = this.#defined.get(profile) ?? new Map<string, Defined>();
    this.#defined.set(profile, kept);
    const key = `${candidate.name} ${candidate.load}`;
    const defined = kept.get(key) ?? defineRollup(candidate, tables, profile);
    kept.set(key, defined);
    return defined;
  }

  async #knownOf(definition: Definition): Promise<Known | null> {
    const { warehouse, stamp } = this.#options;
    const { name, base, joined } = definition;
    const names = [base, ...joined].map(({ database, table }) => `${database}.${table}`);
    const now = stamp(names);
    const known = this.#known.get(name);
    if (known && known.stamp === now && performance.now() - known.readAt < TRUST_MS) return known;
    const build = known?.build ?? (await this.#look(name));
    if (!build) return null;
    const [covered, marks] = await Promise.all([
      readCovered(warehouse, build.prefix),
      readMarks(warehouse, [base, ...joined]),
    ]);
    if (!covered || !marks || moved(build, marks)) {
      this.#forget(name);
      void this.#worker.wake();
      return null;
    }
    const read = { build, covered, stamp: now, readAt: performance.now() };
    this.#known.set(name, read);
    return read;
  }

  /** The build in use; nobody looks more often than once a second for one that is not there. */
  async #look(name: string): Promise<Build | undefined> {
    const known = this.#builds.get(name);
    if (known || performance.now() - this.#lookedAt < LOOK_AGAIN_MS) return known;
    this.#lookedAt = performance.now();
    this.#builds = await readBuilds(this.#options.warehouse);
    void this.#worker.wake();
    return this.#builds.get(name);
  }

  #kept(name: string, build: Build | null, covered: Covered | null): void {
    if (build) this.#builds.set(name, build);
    else this.#builds.delete(name);
    const known = this.#known.get(name);
    if (build && covered && known?.build.prefix === build.prefix)
      this.#known.set(name, { ...known, covered });
    else this.#known.delete(name);
  }

  /** A difference was found: for all processes, until it is built anew. */
  async #takeOut(name: string): Promise<void> {
    const { warehouse } = this.#options;
    this.#forget(name);
    const build = (await readBuilds(warehouse)).get(name);
    if (build) await takeOut(warehouse, build);
    void this.#worker.wake();
  }

  async #declared(): Promise<Declared[]> {
    const [declared, tables, everything] = await Promise.all([
      this.#options.declared(),
      this.#options.tables(),
      this.#options.everything(),
    ]);
    const all = declared.map(({ name, candidate }): Declared => {
      if (typeof candidate === 'string') return { name, reason: candidate };
      return { name, ...this.#define(everything, candidate, tables) };
    });
    const read = all.flatMap((one) =>
      'definition' in one ? [one.definition.base, ...one.definition.joined] : [],
    );
    this.#topics = new Set(read.map(({ topic }) => topic));
    return all;
  }

  #forget(name: string): void {
    this.#known.delete(name);
    this.#builds.delete(name);
  }

  #count(name: string): { hits: number; fallbacks: number } {
    const known = this.#counts.get(name);
    if (known) return known;
    const count = { hits: 0, fallbacks: 0 };
    this.#counts.set(name, count);
    return count;
  }
}
