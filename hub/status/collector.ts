import { setTimeout as setTimeoutAsync } from 'node:timers/promises';
import type { Pool } from 'pg';
import {
  type ChangeLog,
  type Config,
  type PartitionLag,
  SINK_GROUP,
  type TopicInfo,
  toHubError,
  usesKafka,
  type Warehouse,
} from '#kernel';
import {
  assembleApps,
  assembleModel,
  assembleRoles,
  assembleRollups,
  assembleSources,
  totalsOf,
} from './assemble.ts';
import { EventFeed } from './events.ts';
import { Rates } from './rates.ts';
import { readState } from './read-state.ts';
import type { Problem, Status, StatusSample } from './types.ts';
import { type WarehouseFigures, WarehouseReader } from './warehouse-figures.ts';

/** A document this fresh is given to several askers. */
const SHARE_MS = 400;
const TOPICS_EVERY_MS = 5_000;
const WAREHOUSE_EVERY_MS = 1_000;
/** How long the first document waits for a slow or absent warehouse or log. */
const FIRST_WAIT_MS = 1_500;
const LAG_MS = 3_000;
const SAMPLES = 300;
/** Between rounds: while somebody watches, and else (so that the history has no hole). */
const WATCHED_MS = 1_000;
const IDLE_MS = 5_000;

export interface StatusOptions {
  readonly config: Config;
  readonly pool: Pool;
  readonly log: ChangeLog;
  readonly warehouse: Warehouse;
  readonly version: string;
  readonly startedAt: Date;
  readonly addresses: () => Readonly<Record<string, string>>;
}

export interface StatusCollector {
  /** The document, at most 400 ms old. Fails only if the hub's own database does not answer. */
  status(): Promise<Status>;
  /** Something was changed through this process: the next document is a new one. */
  changed(): void;
  /** Headline figures of the last rounds, oldest first, for sparklines. */
  history(): readonly StatusSample[];
  /** Begins to sample by itself, slowly while nobody watches. */
  start(): void;
  /** Calls `listener` about once a second with a new document until the returned function is called. */
  subscribe(listener: (status: Status | Problem) => void): () => void;
  close(): void;
}

interface Cached<T> {
  at: number;
  value: T;
  running: Promise<void> | null;
}

/**
 * Collects the status document. Four statements on schema `bac` and one lag read per round; what is
 * slower (warehouse figures, topic extents) is refreshed beside it and never waited for twice.
 */
export function createStatusCollector(options: StatusOptions): StatusCollector {
  const { config, pool, log } = options;
  const rates = new Rates();
  const feed = new EventFeed();
  const reader = new WarehouseReader(options.warehouse);
  const abort = new AbortController();
  const samples: StatusSample[] = [];
  const listeners = new Set<(status: Status | Problem) => void>();
  const noFigures: WarehouseFigures = { version: null, bytes: null, error: null, tables: new Map() };
  const figures: Cached<WarehouseFigures> = { at: -Infinity, value: noFigures, running: null };
  const topics: Cached<{ infos: readonly TopicInfo[] | null; error: Problem | null }> = {
    at: -Infinity,
    value: { infos: null, error: null },
    running: null,
  };
  let current: { at: number; promise: Promise<Status> } | null = null;
  let timer: NodeJS.Timeout | null = null;

  const refreshed = async <T>(cache: Cached<T>, everyMs: number, load: () => Promise<T>): Promise<T> => {
    const first = cache.at === -Infinity;
    if (cache.running === null && performance.now() - cache.at >= everyMs) {
      cache.running = load()
        .then((value) => {
          cache.value = value;
        })
        .finally(() => {
          cache.at = performance.now();
          cache.running = null;
        });
    }
    if (first) await Promise.race([cache.running, setTimeoutAsync(FIRST_WAIT_MS, undefined, { ref: false })]);
    return cache.value;
  };

  /** null when the log does not tell it in time: a broker that hangs must not hold the document. */
  const lagWithin = (ms: number): Promise<readonly PartitionLag[] | null> =>
    Promise.race([log.lag(SINK_GROUP).catch(() => null), setTimeoutAsync(ms, null, { ref: false })]);
  const collect = async (): Promise<Status> => {
    const [state, lag, extents] = await Promise.all([
      readState(pool),
      lagWithin(LAG_MS),
      refreshed(topics, TOPICS_EVERY_MS, async () => {
        try {
          return { infos: await log.topics(), error: null };
        } catch (thrown) {
          const { code, message, next } = toHubError(thrown);
          return { infos: null, error: { code, message, next } };
        }
      }),
    ]);
    const warehouse = await refreshed(figures, WAREHOUSE_EVERY_MS, () =>
      reader.read(
        state.sources.map((source) => source.name),
        abort.signal,
      ),
    );
    const now = Date.now();
    const readings = { state, lag, topics: extents.infos, warehouse, now, tick: performance.now() };
    const sources = assembleSources(readings, rates, config);
    const roles = assembleRoles(state.roles);
    const at = new Date(now).toISOString();
    const totals = totalsOf(sources);
    samples.push({ at: now, ...pick(totals) });
    if (samples.length > SAMPLES) samples.shift();
    return {
      at,
      hub: {
        version: options.version,
        startedAt: options.startedAt.toISOString(),
        uptimeMs: now - options.startedAt.getTime(),
        pid: process.pid,
      },
      addresses: options.addresses(),
      totals,
      sources,
      apps: assembleApps(state.apps),
      rollups: assembleRollups(state.roles),
      model: assembleModel(state.roles),
      roles,
      log: {
        kind: usesKafka(config.log) ? 'kafka' : 'embedded',
        topics: extents.infos?.length ?? null,
        bytes:
          extents.infos?.reduce(
            (sum, info) => sum + info.extents.reduce((all, part) => all + part.bytes, 0),
            0,
          ) ?? null,
        error: extents.error,
      },
      warehouse: { version: warehouse.version, bytes: warehouse.bytes, error: warehouse.error },
      events: feed.update(at, sources, roles),
    };
  };

  const status = (): Promise<Status> => {
    if (current && performance.now() - current.at < SHARE_MS) return current.promise;
    const round = { at: performance.now(), promise: collect() };
    current = round;
    round.promise.catch(() => {
      if (current === round) current = null;
    });
    return round.promise;
  };

  const tick = (): void => {
    timer = null;
    const started = performance.now();
    status()
      .catch((thrown): Problem => toHubError(thrown).toJSON())
      .then((document) => {
        if (abort.signal.aborted) return;
        for (const listener of listeners) listener(document);
        const every = listeners.size > 0 ? WATCHED_MS : IDLE_MS;
        timer = setTimeout(tick, Math.max(100, every - (performance.now() - started))).unref();
      });
  };

  return {
    status,
    changed() {
      current = null;
    },
    history: () => [...samples],
    start() {
      if (timer === null) tick();
    },
    subscribe(listener) {
      listeners.add(listener);
      if (timer) clearTimeout(timer);
      if (timer || listeners.size === 1) tick();
      return () => listeners.delete(listener);
    },
    close() {
      listeners.clear();
      if (timer) clearTimeout(timer);
      abort.abort();
    },
  };
}

const pick = (totals: Status['totals']): Omit<StatusSample, 'at'> => ({
  rowsPerSecond: totals.rowsPerSecond,
  freshnessP50Ms: totals.freshnessP50Ms,
  freshnessMaxMs: totals.freshnessMaxMs,
  lagEvents: totals.lagEvents,
  deadLetters: totals.deadLetters,
});
