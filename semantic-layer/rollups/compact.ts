import { MARK } from './buckets.ts';
import type { Work } from './build.ts';
import { type Build, dataTable, logTable } from './tables.ts';

/** Statements that still read what a refresh replaced end within this. */
const SETTLED_SECONDS = 150;

/**
 * Removes rows of buckets that were computed anew long enough ago, and what interrupted refreshes left. Can be broken
 * off anywhere: only what no statement reads is removed.
 */
export async function compact({ warehouse, signal }: Work, { prefix }: Build): Promise<void> {
  const log = logTable(prefix);
  const [settled] = await warehouse.query<{ run: string }>(
    `SELECT toString(max(run)) AS run FROM ${log} AS log WHERE bucket = ${MARK} AND at < now64(3) - toIntervalSecond(${SETTLED_SECONDS})`,
  );
  const run = settled?.run ?? '0';
  if (run === '0') return;
  const current = `SELECT bucket, max(log.run) FROM ${log} AS log WHERE log.run <= ${run} GROUP BY bucket`;
  const settings = { mutations_sync: 1, allow_nondeterministic_mutations: 1, max_execution_time: 600 };
  await warehouse.command(
    `ALTER TABLE ${dataTable(prefix)} DELETE WHERE __run <= ${run} AND (__bucket, __run) NOT IN (${current})`,
    { settings, signal },
  );
  await warehouse.command(
    `ALTER TABLE ${log} DELETE WHERE run <= ${run} AND (bucket, run) NOT IN (${current})`,
    { settings, signal },
  );
}
