import type { Pool } from 'pg';
import {
  type ChangeLog,
  HubError,
  nearest,
  type Registry,
  type TableEntry,
  tableKey,
  toHubError,
  userError,
  type Warehouse,
} from '#kernel';
import { connectionError, type SourceKind } from '../catalog/index.ts';
import { openSessions, type Sessions } from '../snapshot/index.ts';
import { recordVerification } from './record.ts';
import type { TableReport, VerifyReport } from './report.ts';
import { TableComparison } from './table.ts';

export interface VerifyOptions {
  readonly pool: Pool;
  readonly registry: Registry;
  readonly warehouse: Warehouse;
  /** Needed for `repair`: the repaired rows are sent through it. */
  readonly log?: ChangeLog;
  /** One source; absent = all. */
  readonly source?: string;
  /** One table of it: `table` (in public) or `schema.table`. */
  readonly table?: string;
  readonly repair: boolean;
  /** How long to wait for the warehouse to catch up before a difference counts. Default 30 s. */
  readonly catchUpMs?: number;
  readonly signal?: AbortSignal;
  /** Wall clock, ms since 1970. */
  readonly now?: () => number;
  readonly onProgress?: (facts: Readonly<Record<string, unknown>>) => void;
}

interface Source {
  readonly name: string;
  readonly kind: SourceKind;
  readonly url: string;
}

/**
 * Compares source and warehouse while both are live, table by table; with `repair` makes the warehouse
 * equal. Keeps each table's result in `bac.verifications`. A table that cannot be compared is reported as skipped; the others go on.
 * Errors: SOURCE_NOT_FOUND, TABLE_NOT_FOUND, SOURCE_UNREACHABLE and the like (user), REPAIR_NEEDS_LOG.
 */
export async function verifyTables(options: VerifyOptions): Promise<VerifyReport> {
  const started = performance.now();
  if (options.repair && !options.log) {
    throw new HubError('REPAIR_NEEDS_LOG', 'Repair was asked for without a change log to send rows through.');
  }
  const sources = await sourcesOf(options.pool, options.source);
  const reports: TableReport[] = [];
  for (const source of sources) {
    const tables = await tablesOf(options, source);
    const sessions = openSessions(source.url, 2);
    try {
      for (const entry of tables) {
        const began = (options.now ?? Date.now)();
        const report = await verifyTable(options, source, sessions, entry);
        reports.push(report);
        await recordVerification(options.pool, entry, began, report);
      }
    } catch (error) {
      options.signal?.throwIfAborted();
      throw connectionError(error, source.url);
    } finally {
      await sessions.close();
    }
  }
  return { ok: reports.every(isFine), seconds: secondsSince(started), tables: reports };
}

/** Tables that are left out on purpose do not spoil the result; those that should be there do. */
const isFine = ({ state, reason }: TableReport): boolean =>
  state === 'ok' ||
  state === 'repaired' ||
  (state === 'skipped' && /^(unsupported|dropped)/.test(reason ?? ''));

const secondsSince = (started: number): number => Math.round(performance.now() - started) / 1000;

async function sourcesOf(pool: Pool, name: string | undefined): Promise<Source[]> {
  const { rows } = await pool.query<Source>('SELECT name, kind, url FROM bac.sources ORDER BY name');
  if (name === undefined) return rows;
  const found = rows.filter((row) => row.name === name);
  if (found.length > 0) return found;
  const near = nearest(
    name,
    rows.map((row) => row.name),
  );
  throw userError(
    'SOURCE_NOT_FOUND',
    `There is no source "${name}".`,
    near ? `Did you mean "${near}"?` : '`bac connect list` shows the sources.',
  );
}

async function tablesOf({ registry, table }: VerifyOptions, source: Source): Promise<TableEntry[]> {
  const entries = await registry.tables(source.name);
  if (table === undefined) return entries;
  const wanted = table.includes('.') ? table : `public.${table}`;
  const found = entries.filter((entry) => tableKey(entry) === wanted);
  if (found.length > 0) return found;
  const near = nearest(wanted, entries.map(tableKey));
  throw userError(
    'TABLE_NOT_FOUND',
    `Source "${source.name}" has no captured table "${wanted}".`,
    near ? `Did you mean "${near}"?` : '`bac status` shows the tables.',
  );
}

async function verifyTable(
  options: VerifyOptions,
  source: Source,
  sessions: Sessions,
  entry: TableEntry,
): Promise<TableReport> {
  const started = performance.now();
  const { pool, registry, warehouse, onProgress } = options;
  const signal = options.signal ?? new AbortController().signal;
  const table = tableKey(entry);
  const finish = (report: Partial<TableReport> & Pick<TableReport, 'state'>): TableReport => {
    const { reason } = report;
    const { state, differences = 0 } = report;
    onProgress?.({ source: source.name, table, state, differences, ...(reason ? { reason } : {}) });
    return {
      source: source.name,
      table,
      sourceRows: 0,
      warehouseRows: 0,
      ranges: 0,
      suspectParts: 0,
      differences: 0,
      repaired: 0,
      changing: 0,
      examples: [],
      truncated: false,
      openDeadLetters: 0,
      ...report,
      seconds: secondsSince(started),
    };
  };
  const schema = await registry.latest(entry);
  if (entry.state !== 'streaming' || !schema) {
    const why = entry.error ? `${entry.state}: ${entry.error.message}` : `${entry.state}: not complete yet`;
    return finish({ state: 'skipped', reason: why });
  }
  try {
    const found = await new TableComparison({
      kind: source.kind,
      pool,
      sessions,
      warehouse,
      entry,
      schema,
      log: options.repair ? options.log! : null,
      catchUpMs: options.catchUpMs ?? 30_000,
      signal,
      onProgress: (facts) => onProgress?.({ source: source.name, table, ...facts }),
    }).run();
    const openDeadLetters = await deadLettersOf(pool, entry);
    const open = found.differences - found.repaired;
    const state = open > 0 || found.truncated ? 'different' : found.differences > 0 ? 'repaired' : 'ok';
    return finish({ state, openDeadLetters, ...found });
  } catch (thrown) {
    signal.throwIfAborted();
    return finish({ state: 'skipped', reason: whyNot(thrown) });
  }
}

/** A failure that concerns this table alone, as its reason; others end the run. */
function whyNot(thrown: unknown): string {
  const { code = '' } = thrown as { code?: string };
  if (thrown instanceof HubError) {
    if (thrown.code === 'TABLE_NOT_FOUND') return 'dropped: the source no longer has it';
    return `${thrown.code}: ${thrown.message}`;
  }
  // A missing table or column: its shape is changing just now. A lock, a right, an own conversion.
  if (/^(42|55|22)/.test(code)) return `not comparable now: ${toHubError(thrown).message}`;
  throw thrown;
}

async function deadLettersOf(pool: Pool, { source, schema, table }: TableEntry): Promise<number> {
  const { rows } = await pool.query<{ count: string }>(
    `SELECT count(*) AS count FROM bac.dead_letters
     WHERE source = $1 AND schema_name = $2 AND table_name = $3 AND state = 'open'`,
    [source, schema, table],
  );
  return Number(rows[0]!.count);
}
