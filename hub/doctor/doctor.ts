import type { Pool } from 'pg';
import { type ChangeLog, type Config, type Registry, toHubError, type Warehouse } from '#kernel';
import type { Status } from '../status/index.ts';
import { checkEnvironment } from './environment.ts';
import { checkModels } from './model.ts';
import { capturedProbe, ensureProbeTable, PROBE_SCHEMA, PROBE_TABLE } from './probe.ts';
import { traceRow } from './trace.ts';
import type { Check, Finding } from './types.ts';

export interface DoctorOptions {
  readonly config: Config;
  readonly pool: Pool;
  readonly registry: Registry;
  readonly log: ChangeLog;
  readonly warehouse: Warehouse;
  /** What the api processes say of the semantic model. */
  readonly model: () => Promise<Status['model']>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly report: (finding: Finding & Readonly<Record<string, unknown>>) => void;
}

/**
 * Examines a running hub: environment, then its parts, then the way of one row through all of them.
 * Reports each finding as it is known; `ok` is true only if all are.
 */
export async function runDoctor(options: DoctorOptions): Promise<{ ok: boolean }> {
  let ok = true;
  const report = (finding: Finding): void => {
    ok &&= finding.ok;
    options.report({ ...finding });
  };
  for (const check of await checkEnvironment(options.config, true)) report(check);
  for (const check of await checkParts(options)) report(check);
  if (!ok) return { ok };
  // A model that is out of date does not keep rows from passing.
  for (const check of checkModels(await options.model())) report(check);
  await ensureProbeTable(options.pool);
  const probe = await capturedProbe(options.registry);
  const trace = { type: 'check', name: 'trace' } as const;
  if (!probe) {
    report({
      ...trace,
      ok: true,
      skipped: true,
      message: `No row was followed: no source captures ${PROBE_SCHEMA}.${PROBE_TABLE} of the hub’s own database.`,
      next: 'The demo and the first app bring such a source. What other sources wait for is in `bac status`; `bac verify SOURCE` compares their rows.',
    });
    return { ok };
  }
  if (probe.state !== 'streaming') {
    report({
      ...trace,
      ok: false,
      message: `The probe table ${probe.topic} is ${probe.state}, not streaming yet.`,
      next: 'Try again when `bac status` shows it streaming.',
    });
    return { ok };
  }
  const through = await traceRow({ ...options, probe, report });
  return { ok: ok && through };
}

function checkParts(options: DoctorOptions): Promise<Check[]> {
  const part = async (name: string, next: string, ask: () => Promise<string>): Promise<Check> => {
    const start = performance.now();
    try {
      const message = await ask();
      return {
        type: 'check',
        name,
        ok: true,
        message: `${message} (${Math.round(performance.now() - start)} ms)`,
      };
    } catch (thrown) {
      return { type: 'check', name, ok: false, message: toHubError(thrown).message, next };
    }
  };
  return Promise.all([
    part('postgres', 'Is it running? See the hub’s log.', async () => {
      const { rows } = await options.pool.query<{ server_version: string }>('SHOW server_version');
      return `PostgreSQL ${rows[0]?.server_version}`;
    }),
    part(
      'log',
      'Is there space left on the disk?',
      async () => `${(await options.log.topics()).length} topics`,
    ),
    part('clickhouse', 'The supervisor restarts it; see the hub’s log.', async () => {
      const rows = await options.warehouse.query<{ v: string }>('SELECT version() AS v');
      return `ClickHouse ${rows[0]?.v}`;
    }),
  ]);
}
