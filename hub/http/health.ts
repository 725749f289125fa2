import type { Pool } from 'pg';
import { type ChangeLog, toHubError, type Warehouse } from '#kernel';

export interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly reason?: string }>>;
}

const PATIENCE_MS = 2_000;

/** Asks the three things the hub stands on whether they answer, each within two seconds. */
export async function readiness(parts: {
  pool: Pool;
  log: ChangeLog;
  warehouse: Warehouse;
}): Promise<Readiness> {
  const entries = await Promise.all([
    check('postgres', async () => void (await parts.pool.query('SELECT 1'))),
    check('log', async () => void (await parts.log.topics('bac.'))),
    check('clickhouse', async () => {
      if (!(await parts.warehouse.ping())) throw new Error('does not answer');
    }),
  ]);
  return { ready: entries.every(([, result]) => result.ok), checks: Object.fromEntries(entries) };
}

async function check(
  name: string,
  probe: () => Promise<void>,
): Promise<[string, { ok: boolean; reason?: string }]> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  try {
    await Promise.race([probe(), late]);
    return [name, { ok: true }];
  } catch (thrown) {
    return [name, { ok: false, reason: toHubError(thrown).message }];
  } finally {
    clearTimeout(timer);
  }
}
