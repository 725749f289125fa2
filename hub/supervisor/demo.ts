import type pg from 'pg';
import { DEMO_TENANTS, demoApps, fillDemo } from '#apps';
import { addSource } from '#cdc';
import { type Config, type Logger, userError } from '#kernel';
import { openLog } from '#stream';
import { ensureProbeTable } from '../doctor/index.ts';
import { ensureTenant } from '../identity/index.ts';
import type { Reporter } from './reporter.ts';

const SOURCE = 'business';
const POLL_MS = 250;

export interface DemoOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  readonly pool: pg.Pool;
  readonly postgresUrl: string;
  readonly logDir: string;
}

/** Tables of the apps, two years of history, and the source that captures them. Safe to repeat. */
export async function prepareDemo(options: DemoOptions): Promise<void> {
  const { config, reporter, pool, postgresUrl, signal } = options;
  const started = performance.now();
  const until = new Date(`${new Date().toISOString().slice(0, 10)}T00:00:00Z`);
  const filled = await fillDemo({
    url: postgresUrl,
    seed: config.demo.seed,
    orders: config.demo.orders,
    until,
    signal,
    onProgress: ({ done, rows }) =>
      reporter.progress('demo', `filling ${Math.floor(100 * done)} %, ${rows.toLocaleString('en')} rows`),
  });
  reporter.done(
    'demo',
    filled.filled
      ? `two years of business: ${filled.rows.toLocaleString('en')} rows (${((performance.now() - started) / 1000).toFixed(1)} s)`
      : `the business is there (${filled.rows.toLocaleString('en')} rows at the start)`,
  );
  for (const { id, name } of DEMO_TENANTS) await ensureTenant(pool, { id, name });
  await ensureProbeTable(pool);
  await ensureSource(options, pool);
}

async function ensureSource(
  { postgresUrl, logDir, logger, config }: DemoOptions,
  pool: pg.Pool,
): Promise<void> {
  const { rows } = await pool.query<{ url: string }>('SELECT url FROM bac.sources WHERE name = $1', [SOURCE]);
  const log = await openLog({ config: config.log, dir: logDir, log: logger });
  try {
    if (rows.length === 0) {
      await addSource(pool, log, {
        name: SOURCE,
        kind: 'postgres',
        url: postgresUrl,
        tables: [...(await demoApps()).map((app) => `${app.name}.*`), 'bac_probe.probe'],
      });
    } else if (rows[0]!.url !== postgresUrl) {
      // The embedded server may listen elsewhere than last time.
      if (config.postgres.url !== undefined) return;
      await pool.query('UPDATE bac.sources SET url = $2 WHERE name = $1', [SOURCE, postgresUrl]);
    }
  } finally {
    await log.close();
  }
}

interface SnapshotRow {
  readonly state: string;
  readonly tables: number;
  readonly snapshot_rows: string;
}

/** Follows the demo's snapshot until every table streams. Fails if the source cannot be captured. */
export async function waitForSnapshot(pool: pg.Pool, reporter: Reporter, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  for (;;) {
    signal.throwIfAborted();
    const source = await pool.query<{ state: string; error: { message: string } | null }>(
      'SELECT state, error FROM bac.sources WHERE name = $1',
      [SOURCE],
    );
    if (source.rows[0]?.state === 'failed') {
      throw userError(
        'DEMO_NOT_CAPTURED',
        `The demo cannot be captured: ${source.rows[0].error?.message}.`,
        'See `./bac status`.',
      );
    }
    const { rows } = await pool.query<SnapshotRow>(
      'SELECT state, count(*)::int AS tables, sum(snapshot_rows) AS snapshot_rows FROM bac.tables WHERE source = $1 GROUP BY state',
      [SOURCE],
    );
    const total = rows.reduce((sum, row) => sum + row.tables, 0);
    const waiting = rows
      .filter((row) => row.state === 'pending' || row.state === 'snapshotting')
      .reduce((sum, row) => sum + row.tables, 0);
    const loaded = rows.reduce((sum, row) => sum + Number(row.snapshot_rows), 0);
    if (total > 0 && waiting === 0) {
      reporter.done(
        'stream',
        `${total} tables in ClickHouse, ${loaded.toLocaleString('en')} rows (${((performance.now() - started) / 1000).toFixed(1)} s), live`,
      );
      return;
    }
    reporter.progress('stream', `${total - waiting} of ${total} tables, ${loaded.toLocaleString('en')} rows`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
