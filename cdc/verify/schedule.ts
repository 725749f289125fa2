import { createHash } from 'node:crypto';
import type { Pool } from 'pg';
import {
  type ChangeLog,
  type Config,
  type Lease,
  type Logger,
  type Registry,
  toHubError,
  type Warehouse,
} from '#kernel';
import { acquireLease, resnapshotSource } from '../capture/index.ts';
import { recordVerification } from './record.ts';
import { verifyTables } from './verify.ts';

export interface ScheduleOptions {
  readonly pool: Pool;
  readonly registry: Registry;
  readonly warehouse: Warehouse;
  readonly log: ChangeLog;
  readonly logger: Logger;
  readonly config: Config['verify'];
  readonly instance: string;
  /** Wall clock, ms since 1970. */
  readonly now?: () => number;
  /** How often it is looked whether a table is due, and how long another holder of the lease is left alone. Default 60 s. */
  readonly lookMs?: number;
}

export interface ScheduleStats {
  /** Since this process began. */
  readonly verified: number;
  readonly repaired: number;
  readonly failed: number;
  /** `source.schema.table` that is being compared. */
  readonly now: string | null;
}

export interface VerifySchedule {
  /** Looks once and compares every table that is due, one after the other. Never throws. */
  look(): Promise<void>;
  start(): void;
  /** Ends a comparison under way; it counts as not made. */
  stop(): Promise<void>;
  stats(): ScheduleStats;
}

const LOOK_MS = 60_000;
const HOUR_MS = 3_600_000;
/** YugabyteDB tells nothing of a TRUNCATE: only a comparison finds it. */
const DEFAULT_HOURS = { postgres: 0, yugabytedb: 24 } as const;

interface Candidate {
  readonly source: string;
  readonly schema: string;
  readonly table: string;
  readonly kind: keyof typeof DEFAULT_HOURS;
  readonly options: { verify?: { everyHours?: number; repair?: boolean } };
  readonly addedAt: Date;
  readonly startedAt: Date | null;
  readonly state: string | null;
}

const CANDIDATES = `SELECT t.source, t.schema_name AS schema, t.table_name AS "table", s.kind, s.options,
  s.created_at AS "addedAt", v.started_at AS "startedAt", v.state
  FROM bac.tables t JOIN bac.sources s ON s.name = t.source
  LEFT JOIN bac.verifications v USING (source, schema_name, table_name)
  WHERE t.state = 'streaming' AND s.desired = 'running' ORDER BY t.source, t.schema_name, t.table_name`;

/**
 * Compares each table with its source every so often, and repairs it; one with too many differences to
 * repair gets a new snapshot. One table at a time in the whole
 * hub: a lease decides which worker. A table's first turn is at a moment of its own within the first
 * interval, so that turns are spread; each later one is an interval after the one before.
 */
export function createVerifySchedule(options: ScheduleOptions): VerifySchedule {
  const { pool, config, logger, instance, now = Date.now, lookMs = LOOK_MS } = options;
  const stopping = new AbortController();
  const stats = { verified: 0, repaired: 0, failed: 0 };
  let current: string | null = null;
  let timer: NodeJS.Timeout | undefined;
  let working: Promise<void> = Promise.resolve();

  const intervalOf = ({ kind, options: { verify } }: Candidate): number =>
    (verify?.everyHours ?? config.everyHours ?? DEFAULT_HOURS[kind]) * HOUR_MS;

  const dueAt = (candidate: Candidate): number => {
    const interval = intervalOf(candidate);
    if (interval <= 0) return Infinity;
    const { startedAt, state, addedAt } = candidate;
    if (startedAt === null) return addedAt.getTime() + interval * shareOf(candidate);
    // What could not be compared gets another chance soon, but not at once.
    const again = state === 'failed' || state === 'skipped' ? Math.min(interval, HOUR_MS) : interval;
    return startedAt.getTime() + again;
  };

  /** The table that has waited longest; null = none is due. */
  const next = async (): Promise<Candidate | null> => {
    const { rows } = await pool.query<Candidate>(CANDIDATES);
    const due = rows.filter((row) => dueAt(row) <= now()).sort((a, b) => dueAt(a) - dueAt(b));
    return due[0] ?? null;
  };

  const verify = async (candidate: Candidate, lease: Lease): Promise<void> => {
    const { source, schema, table } = candidate;
    const startedAt = now();
    const began = performance.now();
    current = `${source}.${schema}.${table}`;
    const repair = candidate.options.verify?.repair ?? config.repair;
    try {
      const report = await verifyTables({
        ...options,
        source,
        table: `${schema}.${table}`,
        repair,
        signal: AbortSignal.any([stopping.signal, lease.signal]),
        now,
      });
      const { state, differences, repaired, truncated, ...found } = report.tables[0]!;
      stats.verified += 1;
      stats.repaired += repaired;
      let { reason } = found;
      // As after a TRUNCATE of a large table. What was repaired shows that the rest is not merely late.
      if (repair && truncated && repaired > 0) {
        await resnapshotSource(pool, options.log, source, [`${schema}.${table}`]);
        reason = `More than ${differences} rows differed: a new snapshot has been asked for.`;
        const outcome = { ...found, state, differences, repaired, reason };
        await recordVerification(pool, candidate, startedAt, outcome);
      }
      const facts = { table: current, state, differences, repaired, reason };
      if (state === 'ok') logger.debug(facts, 'verified by schedule');
      else logger.warn(facts, 'verified by schedule');
    } catch (thrown) {
      if (stopping.signal.aborted || lease.signal.aborted) return;
      const { code, message } = toHubError(thrown);
      stats.failed += 1;
      logger.warn({ table: current, code, error: message }, 'verification failed, will be tried again');
      await recordVerification(pool, candidate, startedAt, {
        state: 'failed',
        reason: `${code}: ${message}`,
        seconds: (performance.now() - began) / 1000,
        ...{ sourceRows: 0, warehouseRows: 0, differences: 0, repaired: 0 },
      });
    } finally {
      current = null;
    }
  };

  const lookNow = async (): Promise<void> => {
    try {
      while (!stopping.signal.aborted && (await next()) !== null) {
        const lease = await acquireLease({ pool, name: 'verify', holder: instance });
        try {
          // Another worker may have compared it while this one waited for the lease.
          const candidate = await next();
          if (candidate !== null) await verify(candidate, lease);
        } finally {
          await lease.release();
        }
      }
    } catch (thrown) {
      const error = toHubError(thrown);
      // Another worker is at it, or the state database is away: looked at again next time.
      if (error.code === 'CAPTURE_FENCED') logger.debug({ holder: error.message }, 'another worker verifies');
      else
        logger.warn({ code: error.code, error: error.message }, 'the verification schedule cannot be read');
    }
  };

  /** One after the other: the lease keeps out other workers, not this one. */
  const look = (): Promise<void> => {
    working = working.then(lookNow);
    return working;
  };
  const turn = (): void => {
    void look().finally(() => {
      if (!stopping.signal.aborted) timer = setTimeout(turn, lookMs);
    });
  };

  return {
    look,
    start: turn,
    async stop() {
      stopping.abort();
      clearTimeout(timer);
      await working;
    },
    stats: () => ({ ...stats, now: current }),
  };
}

/** A table's own moment within an interval, 0 to 1: the same on every worker. */
const shareOf = ({ source, schema, table }: Candidate): number =>
  createHash('sha256')
    .update(JSON.stringify([source, schema, table]))
    .digest()
    .readUInt32BE(0) /
  2 ** 32;
