import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { HubError, transientError } from '../errors.ts';
import type { Principal } from '../principal.ts';

/** One line of the audit trail. Data changes have a trail of their own, with old and new values. */
export interface AuditEntry {
  /** Who, or null before anybody is known (a failed sign-in names its `actor` instead). */
  readonly principal: Pick<Principal, 'tenant' | 'user'> | null;
  /** For entries without a principal: what the visitor called himself. */
  readonly actor?: string;
  /** The tenant it concerns; default: the principal's. */
  readonly tenant?: string | null;
  /** `http`, `graphql`, `rest`, `import`, ... */
  readonly surface: string;
  /** `sign-in`, `key.create`, `read`, `update`, ... */
  readonly action: string;
  readonly entity?: string;
  readonly record?: string;
  readonly outcome: 'ok' | 'denied' | 'failed';
  /** The error's code where it was denied or failed. */
  readonly code?: string;
  readonly requestId?: string;
  readonly address?: string;
  /** Never secrets, never values of records. At most 8 kB as JSON, else left out. */
  readonly details?: Readonly<Record<string, unknown>>;
}

const LONGEST_TEXT = 300;
const LARGEST_DETAILS = 8_192;
const BATCH = 200;
/** Entries that may wait for the database at once. */
const WAITING = 5_000;
const PAUSES_MS = [50, 200, 1_000, 5_000];

interface Waiting {
  readonly row: readonly unknown[];
  readonly done: () => void;
  readonly failed: (error: HubError) => void;
}

/**
 * Writes what waits, one statement at a time: entries that come while one is under way go together in
 * the next. A lost database is retried; the ids make a repeated statement harmless.
 */
class Trail {
  readonly #pool: Pool;
  readonly #waiting: Waiting[] = [];
  #running: Promise<void> | null = null;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  add(entry: AuditEntry): Promise<void> {
    if (this.#waiting.length >= WAITING) {
      return Promise.reject(
        new HubError('AUDIT_BUSY', 'The audit trail cannot be written at the moment.', {
          next: 'Wait a moment and try again; look whether the hub’s database answers.',
          disposition: 'transient',
        }),
      );
    }
    const written = new Promise<void>((done, failed) => {
      this.#waiting.push({ row: rowOf(entry), done, failed });
    });
    this.#running ??= this.#run();
    return written;
  }

  async settled(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let failures = 0; this.#waiting.length > 0; ) {
      const batch = this.#waiting.slice(0, BATCH);
      try {
        await this.#pool.query(
          statement(batch.length),
          batch.flatMap(({ row }) => row),
        );
        failures = 0;
      } catch (cause) {
        failures += 1;
        if (failures <= PAUSES_MS.length) {
          await new Promise((resolve) => setTimeout(resolve, PAUSES_MS[failures - 1]));
          continue;
        }
        const error = transientError('AUDIT_LOST', 'The audit trail could not be written.', cause);
        // The others would only fail later, after as long.
        for (const { failed } of this.#waiting.splice(0)) failed(error);
        break;
      }
      for (const { done } of this.#waiting.splice(0, batch.length)) done();
    }
    this.#running = null;
  }
}

const COLUMNS =
  'id, at, tenant, actor, surface, action, entity, record, outcome, code, request, address, details'.split(
    ', ',
  );

function statement(rows: number): string {
  const values = Array.from({ length: rows }, (_, row) => {
    const places = COLUMNS.map((_, column) => `$${row * COLUMNS.length + column + 1}`);
    return `(${places.join(', ')})`;
  });
  return `INSERT INTO bac.audit (${COLUMNS.join(', ')}) VALUES ${values.join(', ')} ON CONFLICT (id) DO NOTHING`;
}

function rowOf(entry: AuditEntry): readonly unknown[] {
  const { principal } = entry;
  const details = entry.details === undefined ? null : JSON.stringify(entry.details, clean);
  return [
    randomUUID(),
    new Date(),
    short(entry.tenant === undefined ? principal?.tenant : entry.tenant),
    short(principal?.user ?? entry.actor ?? 'nobody'),
    short(entry.surface),
    short(entry.action),
    short(entry.entity),
    short(entry.record),
    entry.outcome,
    short(entry.code),
    short(entry.requestId),
    short(entry.address),
    details === null || details.length > LARGEST_DETAILS ? null : details,
  ];
}

const short = (text: string | null | undefined): string | null =>
  text === null || text === undefined ? null : storable(text).slice(0, LONGEST_TEXT);

/** PostgreSQL takes neither NUL nor half a surrogate pair, and one such entry must not hold up the others. */
const storable = (text: string): string => text.replaceAll('\u0000', '').toWellFormed();
const clean = (_key: string, value: unknown): unknown =>
  typeof value === 'string' ? storable(value) : value;

const trails = new WeakMap<Pool, Trail>();

const trailOf = (pool: Pool): Trail => {
  const known = trails.get(pool);
  if (known) return known;
  const made = new Trail(pool);
  trails.set(pool, made);
  return made;
};

/**
 * Adds an entry to `bac.audit`. Resolves when it is stored: await it where an act without its entry
 * must not be answered as done. Concurrent entries share statements, so waiting costs about one round
 * trip. Errors: AUDIT_BUSY (transient) while 5,000 entries wait; AUDIT_LOST (transient) after the
 * database has refused five times within about six seconds.
 */
export const audit = (pool: Pool, entry: AuditEntry): Promise<void> => trailOf(pool).add(entry);

/** Resolves when nothing waits any more; to be called before `pool` is closed. */
export const auditSettled = (pool: Pool): Promise<void> => trails.get(pool)?.settled() ?? Promise.resolve();

/** Takes away entries older than `days` (at least 1), some thousand at a time. Resolves to how many. */
export async function pruneAudit(pool: Pool, days: number): Promise<number> {
  let total = 0;
  for (;;) {
    const { rowCount } = await pool.query(
      `DELETE FROM bac.audit WHERE id IN (
         SELECT id FROM bac.audit WHERE at < now() - $1 * interval '1 day' ORDER BY at LIMIT 5000)`,
      [Math.max(1, days)],
    );
    total += rowCount ?? 0;
    if ((rowCount ?? 0) < 5000) return total;
  }
}
