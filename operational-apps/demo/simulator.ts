import pg from 'pg';
import type { Logger } from '#kernel';
import { FLOWS, readShops, type ShopFacts } from './flows/index.ts';
import { cumulate, random } from './random.ts';

export interface SimulatorOptions {
  readonly url: string;
  readonly seed: number;
  /** Business transactions a second; 0 = pause. */
  readonly rate: number;
  readonly logger: Logger;
  /** Transactions at once, at most; default 4. */
  readonly concurrency?: number;
}

export interface SimulatorStats {
  readonly rate: number;
  readonly connected: boolean;
  /** Transactions since the start. */
  readonly committed: number;
  /** Rolled back: the database refused or was lost. Repeated conflicts count once. */
  readonly failed: number;
  /** Left out because the database could not keep up or was away. */
  readonly skipped: number;
  /** Done again after a deadlock or serialisation conflict. */
  readonly retried: number;
  readonly inFlight: number;
  readonly byFlow: Readonly<Record<string, number>>;
  readonly lastError: string | null;
}

export interface Simulator {
  setRate(rate: number): void;
  stats(): SimulatorStats;
  /** Waits for the transactions under way, then closes all connections. Can be called again. */
  stop(): Promise<void>;
}

/** More than this behind and the missed transactions are left out: load is never saved up. */
const MOST_BEHIND_MS = 250;
const RETRIES = 3;
const BACKOFF_MS = [100, 2000] as const;
/** Deadlock, serialisation failure: the same transaction may succeed if done again. */
const CONFLICTS = new Set(['40001', '40P01']);
/** Server-side words for "the session or server went away". */
const LOST = /^(08|57P|53300)/;

/**
 * Keeps a filled demo business busy with real transactions, evenly paced. Survives restarts of the
 * database by itself, and starts working as soon as the demo has been filled in. Errors never leave
 * it: they are counted, logged and in `stats().lastError`.
 */
export function startSimulator(options: SimulatorOptions): Simulator {
  const concurrency = options.concurrency ?? 4;
  const chance = random(options.seed, 'simulator');
  const names = Object.keys(FLOWS);
  const weights = cumulate(names.map((name) => FLOWS[name]![0]));
  const pool = new pg.Pool({
    connectionString: options.url,
    max: concurrency,
    connectionTimeoutMillis: 5000,
    application_name: 'bac demo',
  });
  // A connection lost in the middle of a transaction also fails its statement, which is where it counts.
  pool.on('connect', (client) => client.on('error', () => {}));
  pool.on('error', () => {
    if (!stopped) lose('an idle connection was closed');
  });
  const counts = { committed: 0, failed: 0, skipped: 0, retried: 0 };
  const byFlow: Record<string, number> = Object.fromEntries(names.map((name) => [name, 0]));
  const running = new Set<Promise<void>>();
  let rate = options.rate;
  let shops: ShopFacts[] = [];
  let shopSums = cumulate([1]);
  let lastError: string | null = null;
  let backoff: number = BACKOFF_MS[0];
  let connecting = false;
  let stopped = false;
  let ending: Promise<void> | null = null;
  let due = performance.now();
  let timer: NodeJS.Timeout | null = null;

  const lose = (reason: string): void => {
    if (shops.length > 0) options.logger.warn({ reason }, 'demo activity lost the database');
    shops = [];
    lastError = reason;
  };

  const reconnect = async (): Promise<void> => {
    connecting = true;
    try {
      const found = await readShops(pool as unknown as pg.ClientBase);
      if (found.length === 0) lastError = 'the demo has not been filled in yet';
      else {
        shops = found;
        shopSums = cumulate(found.map((shop) => shop.tenant.share));
        backoff = BACKOFF_MS[0];
        options.logger.info({ rate }, 'demo activity runs');
        return;
      }
    } catch (error) {
      lastError = messageOf(error);
    } finally {
      connecting = false;
    }
    backoff = Math.min(BACKOFF_MS[1], backoff * 2);
  };

  const transact = async (name: string, shop: ShopFacts): Promise<void> => {
    for (let attempt = 0; ; attempt += 1) {
      let client: pg.PoolClient;
      try {
        client = await pool.connect();
      } catch (error) {
        counts.failed += 1;
        lose(messageOf(error));
        return;
      }
      let broken: Error | undefined;
      try {
        await client.query('BEGIN');
        await client.query("SELECT set_config('bac.actor', 'demo', true)");
        const context = { client, random: chance, shop };
        const did = await FLOWS[name]![1](context);
        const flow = did ? name : 'placeOrder';
        if (!did && name !== 'placeOrder') await FLOWS.placeOrder![1](context);
        await client.query('COMMIT');
        counts.committed += 1;
        byFlow[flow]! += 1;
        return;
      } catch (error) {
        const code = (error as { code?: string }).code ?? '';
        const lost = !(error instanceof pg.DatabaseError) || LOST.test(code);
        if (lost) {
          broken = error instanceof Error ? error : new Error(messageOf(error));
          lose(messageOf(error));
        } else {
          await client.query('ROLLBACK').catch((failure: Error) => {
            broken = failure;
          });
        }
        if (!CONFLICTS.has(code) || attempt >= RETRIES) {
          counts.failed += 1;
          lastError = messageOf(error);
          if (!lost) options.logger.warn({ flow: name, err: error }, 'demo transaction failed');
          return;
        }
        counts.retried += 1;
      } finally {
        client.release(broken);
      }
    }
  };

  const start = (): void => {
    const name = names[chance.weighted(weights)]!;
    const shop = shops[chance.weighted(shopSums)]!;
    const work: Promise<void> = transact(name, shop).finally(() => {
      running.delete(work);
      if (timer === null) schedule(0);
    });
    running.add(work);
  };

  const tick = (): void => {
    timer = null;
    if (stopped) return;
    const now = performance.now();
    if (rate <= 0) {
      due = now;
      return;
    }
    const step = 1000 / rate;
    if (now - due > MOST_BEHIND_MS) {
      const missed = Math.floor((now - due) / step);
      counts.skipped += missed;
      due += missed * step;
    }
    if (shops.length === 0) {
      if (!connecting) {
        const attempt: Promise<void> = reconnect().finally(() => {
          running.delete(attempt);
          schedule(shops.length > 0 ? 0 : backoff);
        });
        running.add(attempt);
      }
      return;
    }
    while (due <= now && running.size < concurrency) {
      start();
      due += step;
    }
    // With all places taken, the next transaction to end calls again.
    if (due > now) schedule(due - now);
  };

  const schedule = (delay: number): void => {
    if (stopped) return;
    if (timer) clearTimeout(timer);
    timer = setTimeout(tick, Math.max(0, Math.min(delay, 1000)));
  };

  schedule(0);
  return {
    setRate(next) {
      rate = next;
      due = performance.now();
      schedule(0);
    },
    stats: () => ({
      rate,
      connected: shops.length > 0,
      ...counts,
      inFlight: running.size,
      byFlow: { ...byFlow },
      lastError,
    }),
    stop() {
      stopped = true;
      if (timer) clearTimeout(timer);
      ending ??= (async () => {
        while (running.size > 0) await Promise.all(running);
        await pool.end();
      })();
      return ending;
    },
  };
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message || error.name : String(error);
