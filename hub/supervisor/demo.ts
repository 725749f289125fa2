import type pg from 'pg';
import { DEMO_TENANTS, demoApps, fillDemo, shippedFiles } from '#apps';
import { type Config, type Logger, userError } from '#kernel';
import { openLog } from '#stream';
import { captureSchemas, OPERATIONAL_SOURCE, openRegistry } from '../apps/index.ts';
import { ensureTenant } from '../identity/index.ts';
import type { Reporter } from './reporter.ts';

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
  await registerApps(options);
}

/** The shipped definitions come into force, or are renewed, and their tables are captured. */
async function registerApps({ pool, postgresUrl, logDir, logger, config }: DemoOptions): Promise<void> {
  const apps = await demoApps();
  const log = await openLog({ config: config.log, dir: logDir, log: logger });
  const registry = openRegistry({ pool, log, logger, postgresUrl });
  try {
    await captureSchemas(
      pool,
      log,
      postgresUrl,
      apps.map(({ name }) => name),
    );
    await registry.settle(await shippedFiles(apps));
  } finally {
    await registry.close();
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
      [OPERATIONAL_SOURCE],
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
      [OPERATIONAL_SOURCE],
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
