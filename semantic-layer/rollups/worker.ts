import { type Logger, toHubError, type Warehouse } from '#kernel';
import { build, Refused, refresh, type Work } from './build.ts';
import { compact } from './compact.ts';
import type { Definition } from './definition.ts';
import { prefixes, readBuilds, setUp, takeOut, unsupported } from './store.ts';
import { type Build, type Covered, dropTables } from './tables.ts';

/** The right to keep the roll-ups: of one process at a time. */
export interface Right {
  /** Greater than that of whoever had the right before. */
  readonly token: number;
  readonly signal: AbortSignal;
  /** Runs the step while nobody else can have the right; rejects if it is lost. */
  fenced(step: () => Promise<void>): Promise<void>;
}

export interface WorkerOptions {
  readonly warehouse: Warehouse;
  readonly logger: Logger;
  /** All that are declared, over the tables there are now; with reasons for those that cannot be kept. */
  readonly declared: () => Promise<readonly Declared[]>;
  /** Null: another process has it. */
  readonly right: () => Promise<Right | null>;
  /** Told after each step that changes what a roll-up covers. */
  readonly onKept: (name: string, build: Build | null, covered: Covered | null) => void;
}

export type Declared =
  | { readonly name: string; readonly definition: Definition }
  | { readonly name: string; readonly reason: string };

export type WorkState = 'building' | 'refreshing' | 'ready' | 'refused' | 'failed' | 'waiting';

export interface WorkStatus {
  state: WorkState;
  error: string | null;
  builds: number;
  refreshes: number;
  buckets: number;
  lastMs: number | null;
  lastAt: string | null;
}

/** Tables that no build in use names are dropped after this: statements over them have ended. */
const SWEEP_SECONDS = 150;
const SWEEP_EVERY_MS = 60_000;
/** Another process keeps the roll-ups: whether it still does is asked again after this, when there is something to do. */
const ASK_AGAIN_MS = 2_000;
/** After a refresh a roll-up rests for so many times its duration, at most `MOST_REST_MS`. */
const REST = 2;
const MOST_REST_MS = 60_000;
/** Refreshes between two compactions. */
const COMPACT_EVERY = 40;

/**
 * Builds and refreshes roll-ups, one at a time, when it is woken: by rows that were stored, or by a question that a
 * roll-up could answer. Nothing runs while neither comes.
 */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #status = new Map<string, WorkStatus>();
  readonly #restUntil = new Map<string, number>();
  readonly #refused = new Map<string, string>();
  readonly #stop = new AbortController();
  #right: Right | null = null;
  #runs = 0;
  #askAgainAt = 0;
  #sweepAt = 0;
  #pending = false;
  #unrested = false;
  #work: Promise<void> | null = null;
  #later: NodeJS.Timeout | undefined;
  #ready = false;

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  status(name: string): WorkStatus | undefined {
    return this.#status.get(name);
  }

  all(): { name: string; state: WorkState; error: string | null; lastMs: number | null }[] {
    return [...this.#status].map(([name, { state, error, lastMs }]) => ({ name, state, error, lastMs }));
  }

  /** Roll-ups of definitions that were refused are tried again. */
  forgive(): void {
    this.#refused.clear();
  }

  /** Resolves when all that was known to be done is done, or nothing can be; what rests is woken when it has. */
  wake(): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.resolve();
    this.#pending = true;
    this.#work ??= this.#loop();
    return this.#work;
  }

  /** The same, and nothing rests. */
  workNow(): Promise<void> {
    this.#unrested = true;
    return this.wake();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#later);
    await this.#work;
  }

  async #loop(): Promise<void> {
    while (this.#pending && !this.#stop.signal.aborted) {
      const unrested = this.#unrested;
      this.#pending = false;
      this.#unrested = false;
      try {
        await this.#cycle(unrested);
      } catch (thrown) {
        if (!this.#stop.signal.aborted)
          this.#options.logger.warn({ err: toHubError(thrown) }, 'roll-ups could not be looked after');
      }
    }
    // In the same step as the last look at what is pending: whoever wakes it after that begins anew.
    this.#work = null;
  }

  async #cycle(unrested: boolean): Promise<void> {
    const { warehouse, declared } = this.#options;
    const all = await declared();
    for (const one of all)
      if ('reason' in one) Object.assign(this.#of(one.name), { state: 'refused', error: one.reason });
    const wanted = all.flatMap((one) => ('definition' in one ? [one.definition] : []));
    if (wanted.length === 0) return;
    if (!this.#ready) {
      const reason = await unsupported(warehouse);
      if (reason) {
        for (const { name } of wanted) Object.assign(this.#of(name), { state: 'refused', error: reason });
        return;
      }
    }
    if (!this.#right || this.#right.signal.aborted) {
      if (performance.now() < this.#askAgainAt) return;
      this.#right = await this.#options.right();
    }
    if (!this.#right) {
      this.#askAgainAt = performance.now() + ASK_AGAIN_MS;
      for (const { name } of wanted) this.#of(name).state = 'waiting';
      return;
    }
    if (!this.#ready) await setUp(warehouse);
    this.#ready = true;
    const builds = await readBuilds(warehouse);
    const rested: number[] = [];
    for (const definition of wanted) {
      if (this.#stop.signal.aborted) return;
      const until = this.#restUntil.get(definition.name) ?? 0;
      if (!unrested && until > performance.now()) rested.push(until);
      else await this.#keep(definition, builds.get(definition.name));
    }
    this.#wakeAt(rested);
    if (performance.now() < this.#sweepAt) return;
    this.#sweepAt = performance.now() + SWEEP_EVERY_MS;
    await this.#sweep(new Set(wanted.map(({ name }) => name)));
  }

  #wakeAt(times: readonly number[]): void {
    clearTimeout(this.#later);
    if (times.length === 0) return;
    const left = Math.max(0, Math.min(...times) - performance.now());
    this.#later = setTimeout(() => void this.wake(), left).unref();
  }

  async #keep(definition: Definition, before: Build | undefined): Promise<void> {
    const { name, hash } = definition;
    const { logger, onKept } = this.#options;
    const status = this.#of(name);
    if (this.#refused.get(name) === hash) return;
    const began = performance.now();
    try {
      const work = this.#begin();
      let current = before?.hash === hash ? before : undefined;
      if (current) {
        status.state = 'refreshing';
        const done = await refresh(work, definition, current);
        if (done === 'rebuild') current = undefined;
        else {
          if (done.buckets > 0) status.refreshes += 1;
          status.buckets += done.buckets;
          onKept(name, current, done.covered);
          if (status.refreshes % COMPACT_EVERY === COMPACT_EVERY - 1) await compact(work, current);
        }
      }
      if (!current) {
        status.state = 'building';
        logger.info({ rollup: name }, 'roll-up is being built');
        const made = await build(work, definition);
        status.builds += 1;
        onKept(name, made, null);
        logger.info({ rollup: name, ms: Math.round(performance.now() - began) }, 'roll-up built');
      }
      Object.assign(status, { state: 'ready', error: null, lastAt: new Date().toISOString() });
    } catch (thrown) {
      await this.#failed(definition, before, thrown);
    }
    status.lastMs = Math.round(performance.now() - began);
    const rest = Math.min(MOST_REST_MS, (performance.now() - began) * REST);
    this.#restUntil.set(name, performance.now() + rest);
  }

  async #failed({ name, hash }: Definition, before: Build | undefined, thrown: unknown): Promise<void> {
    const { logger, warehouse, onKept } = this.#options;
    const status = this.#of(name);
    if (this.#stop.signal.aborted) return;
    const refused = thrown instanceof Refused;
    Object.assign(status, { state: refused ? 'refused' : 'failed', error: (thrown as Error).message });
    if (refused) {
      this.#refused.set(name, hash);
      // What was built before has become inexact, too.
      if (before) await takeOut(warehouse, before);
      onKept(name, null, null);
    }
    logger.warn({ rollup: name, err: toHubError(thrown) }, refused ? 'roll-up is refused' : 'roll-up failed');
  }

  #begin(): Work {
    const right = this.#right!;
    return {
      warehouse: this.#options.warehouse,
      signal: AbortSignal.any([right.signal, this.#stop.signal]),
      nextRun: () => {
        this.#runs += 1;
        return String(BigInt(right.token) * 2n ** 24n + BigInt(this.#runs));
      },
      fenced: (step) => right.fenced(step),
    };
  }

  /** Drops what interrupted builds left, and builds that another one has replaced. */
  async #sweep(wanted: ReadonlySet<string>): Promise<void> {
    const { warehouse } = this.#options;
    const used = await readBuilds(warehouse);
    const kept = new Set(
      [...used.values()].filter(({ rollup }) => wanted.has(rollup)).map(({ prefix }) => prefix),
    );
    for (const { prefix, ageSeconds } of await prefixes(warehouse))
      if (!kept.has(prefix) && ageSeconds > SWEEP_SECONDS)
        for (const sql of dropTables(prefix)) await warehouse.command(sql);
  }

  #of(name: string): WorkStatus {
    const known = this.#status.get(name);
    if (known) return known;
    const status: WorkStatus = {
      state: 'waiting',
      error: null,
      builds: 0,
      refreshes: 0,
      buckets: 0,
      lastMs: null,
      lastAt: null,
    };
    this.#status.set(name, status);
    return status;
  }
}
