import { setTimeout as sleep } from 'node:timers/promises';
import { type HubError, type Lease, type Logger, toHubError } from '#kernel';
import { preflight } from '../catalog/index.ts';
import { attendDebezium, connectorOf } from '../debezium/index.ts';
import { sourceError } from '../replication/index.ts';
import { acquireLease } from './lease.ts';
import { Meter } from './meter.ts';
import { removeCompletely } from './removal.ts';
import { runSession } from './session.ts';
import { readSource, reportSource } from './source-rows.ts';
import type { CaptureOptions, SourceRow } from './types.ts';

const RETRY_FIRST_MS = 100;
const RETRY_LAST_MS = 5000;
/** What only a person can mend is tried again this rarely, or at once when the source is changed. */
const RETRY_USER_MS = 30_000;
const STANDBY_MS = 1000;
const REPORT_MS = 1000;
/** A session that lasted this long was healthy: back-off begins anew. */
const HEALTHY_MS = 10_000;

/**
 * Looks after one source for as long as it exists: holds its lease, runs sessions, waits and retries,
 * reports. Never throws; one source's trouble is no other's.
 */
export class SourceRunner {
  readonly meter = new Meter(() => this.#tell());
  /** Resolves when the source is gone or the runner was stopped. */
  readonly done: Promise<void>;
  readonly #options: CaptureOptions;
  readonly #name: string;
  readonly #logger: Logger;
  readonly #stop = new AbortController();
  #changed = new AbortController();
  #lease: Lease | null = null;
  #applied = '';
  /** What is reported is out of date. */
  #stale = false;
  #reporting: Promise<void> | null = null;

  constructor(options: CaptureOptions, name: string) {
    this.#options = options;
    this.#name = name;
    this.#logger = options.logger.child({ source: name });
    this.done = this.#run();
  }

  /** What the operator wants may have changed: looks, and restarts the session if it did. */
  async changed(): Promise<void> {
    let row: SourceRow | null;
    try {
      row = await readSource(this.#options.pool, this.#name);
    } catch (err) {
      this.#logger.warn({ err }, 'the source could not be read, will look again');
      return;
    }
    if (fingerprint(row) !== this.#applied) this.#changed.abort();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.done;
  }

  async #run(): Promise<void> {
    const reporting = setInterval(() => this.#tell(), REPORT_MS);
    let wait = RETRY_FIRST_MS;
    while (!this.#stop.signal.aborted) {
      const started = performance.now();
      this.#changed = new AbortController();
      try {
        const more = await this.#turn(AbortSignal.any([this.#stop.signal, this.#changed.signal]));
        if (!more) break;
        wait = RETRY_FIRST_MS;
      } catch (thrown) {
        if (performance.now() - started > HEALTHY_MS) wait = RETRY_FIRST_MS;
        await this.#trouble(classify(thrown), wait);
        wait = Math.min(RETRY_LAST_MS, wait * 2);
      }
    }
    clearInterval(reporting);
    await this.#release();
  }

  /** One reading of what is wanted, and the doing of it. False: the source is gone. */
  async #turn(signal: AbortSignal): Promise<boolean> {
    const { pool } = this.#options;
    const source = await readSource(pool, this.#name);
    this.#applied = fingerprint(source);
    if (source === null) return false;
    this.#lease ??= await acquireLease({
      pool,
      name: `capture:${this.#name}`,
      holder: this.#options.instance,
      ttlMs: this.#options.leaseMs,
    });
    const lease = this.#lease;
    if (lease.signal.aborted) {
      this.#lease = null;
      throw lease.signal.reason;
    }
    switch (source.desired) {
      case 'removing':
        await removeCompletely(this.#options, source, this.#logger);
        return false;
      case 'paused':
        await connectorOf(this.#options, source)?.stop();
        this.meter.state('paused');
        await this.#report();
        await Promise.race([once(signal), once(lease.signal)]);
        return true;
      default:
        await this.#session(source, lease, signal);
        return true;
    }
  }

  async #session(source: SourceRow, lease: Lease, signal: AbortSignal): Promise<void> {
    this.meter.state('connecting');
    await this.#report();
    await preflight(source.url, source.kind);
    const run = source.options.engine === 'debezium' ? attendDebezium : runSession;
    await run({
      capture: this.#options,
      source,
      logger: this.#logger,
      meter: this.meter,
      onResnapshotBegun: () => {
        this.#applied = fingerprint({ ...source, options: { ...source.options, resnapshot: undefined } });
      },
      signal: AbortSignal.any([signal, lease.signal]),
    });
    if (lease.signal.aborted && !signal.aborted) {
      this.#lease = null;
      throw lease.signal.reason;
    }
  }

  async #trouble(error: HubError, retryMs: number): Promise<void> {
    const awake = AbortSignal.any([this.#stop.signal, this.#changed.signal]);
    if (error.code === 'CAPTURE_FENCED') {
      this.#lease = null;
      this.meter.state('standby', error);
      this.#logger.info({ err: error }, 'standing by');
      await sleep(STANDBY_MS, undefined, { signal: awake }).catch(() => undefined); // woken: go on
      return;
    }
    const lasting = error.disposition !== 'transient' && error.code !== 'SOURCE_UNREACHABLE';
    this.#logger[lasting ? 'error' : 'warn']({ err: error, retryMs }, 'source interrupted');
    this.meter.state(lasting ? 'failed' : 'connecting', error);
    if (this.#lease) {
      await this.#report().catch((err) => this.#logger.warn({ err }, 'could not report'));
    }
    await sleep(lasting ? RETRY_USER_MS : retryMs, undefined, { signal: awake }).catch(() => undefined); // woken
  }

  /** Whoever has no lease has nothing to say of the source. */
  #tell(): void {
    if (this.#lease) this.#report().catch((err) => this.#logger.warn({ err }, 'could not report'));
  }

  /** One at a time, so that the last that is written is the last that was: resolves once what is so now is. */
  #report(): Promise<void> {
    this.#stale = true;
    this.#reporting ??= this.#write().finally(() => {
      this.#reporting = null;
    });
    return this.#reporting;
  }

  async #write(): Promise<void> {
    while (this.#stale) {
      this.#stale = false;
      const { state, error, confirmedLsn, committedAt, ...stats } = this.meter.sample();
      if (state === 'standby') continue;
      await reportSource(this.#options.pool, this.#name, { state, error, confirmedLsn, committedAt, stats });
    }
  }

  async #release(): Promise<void> {
    await this.#lease?.release().catch((err) => this.#logger.warn({ err }, 'lease runs out by itself'));
    this.#lease = null;
  }
}

const fingerprint = (row: SourceRow | null): string => {
  if (row === null) return '';
  const { slot: _, options, ...rest } = row;
  const { tables = null, resnapshot = null, engine = null, debezium = null } = options;
  return JSON.stringify([rest, tables, resnapshot, engine, debezium]);
};

/** What the drivers throw is trouble with a connection, as a rule; only plain defects are not retried soon. */
function classify(thrown: unknown): HubError {
  const defect =
    thrown instanceof TypeError || thrown instanceof RangeError || thrown instanceof ReferenceError;
  return defect ? toHubError(thrown) : sourceError(thrown);
}

const once = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
