import { createHash } from 'node:crypto';
import type { ClientBase, Pool } from 'pg';
import type { App } from '../definitions/index.ts';
import type { PlanStep } from '../planner/index.ts';
import type { AppVersion } from './types.ts';

type Queryable = Pick<ClientBase | Pool, 'query'>;

const COLUMNS = `revision::text AS revision, app, version, change_id AS "changeId", file, yaml, sha256, label, entities, origin, restores,
  state, confirmed, plan, message, began_at AS "beganAt", applied_at AS "appliedAt", applied_by AS "appliedBy"`;

export const digest = (yaml: string): string => createHash('sha256').update(yaml).digest('hex');

/** Per app the newest applied version, in name order. */
export async function versionsInForce(pool: Queryable): Promise<AppVersion[]> {
  const { rows } = await pool.query<AppVersion>(
    `SELECT DISTINCT ON (app) ${COLUMNS} FROM bac.app_versions WHERE state = 'applied' ORDER BY app, version DESC`,
  );
  return rows;
}

/** Newest applied row of all; '0' while there is none. */
export async function revisionInForce(pool: Queryable): Promise<string> {
  const { rows } = await pool.query<{ revision: string }>(
    "SELECT coalesce(max(revision), 0)::text AS revision FROM bac.app_versions WHERE state = 'applied'",
  );
  return rows[0]!.revision;
}

/** All versions of an app, newest first. */
export async function versionsOf(pool: Queryable, app: string): Promise<AppVersion[]> {
  const { rows } = await pool.query<AppVersion>(
    `SELECT ${COLUMNS} FROM bac.app_versions WHERE app = $1 ORDER BY version DESC`,
    [app],
  );
  return rows;
}

/** Names of all apps of which there is any version. */
export async function knownApps(pool: Queryable): Promise<string[]> {
  const { rows } = await pool.query<{ app: string }>(
    'SELECT DISTINCT app FROM bac.app_versions ORDER BY app',
  );
  return rows.map(({ app }) => app);
}

/** What began and neither ended nor failed, oldest first: under way, or interrupted by a crash. */
export async function unfinished(pool: Queryable): Promise<AppVersion[]> {
  const { rows } = await pool.query<AppVersion>(
    `SELECT ${COLUMNS} FROM bac.app_versions WHERE state = 'applying' ORDER BY revision`,
  );
  return rows;
}

export interface NewVersion {
  readonly app: App;
  readonly version: number;
  readonly file: string;
  readonly yaml: string;
  readonly origin: AppVersion['origin'];
  readonly restores: number | null;
  readonly confirmed: boolean;
  readonly message: string | null;
  readonly appliedBy: string;
}

/** Notes that these are about to be applied; all at once. */
export async function begin(
  pool: Queryable,
  changeId: string,
  versions: readonly NewVersion[],
  plan: readonly PlanStep[],
): Promise<void> {
  await pool.query(
    `INSERT INTO bac.app_versions (app, version, change_id, file, yaml, sha256, label, entities, origin, restores, state, confirmed, plan, message, applied_by)
     SELECT app, version, $1, file, yaml, sha256, label, entities, origin, restores, 'applying', confirmed, $3, message, applied_by
     FROM jsonb_to_recordset($2) AS v(app text, version int, file text, yaml text, sha256 text, label text, entities int,
       origin text, restores int, confirmed boolean, message text, applied_by text)`,
    [
      changeId,
      JSON.stringify(
        versions.map(({ app, appliedBy, ...rest }) => ({
          ...rest,
          app: app.name,
          label: app.label,
          entities: app.entities.length,
          sha256: digest(rest.yaml),
          applied_by: appliedBy,
        })),
      ),
      JSON.stringify(plan),
    ],
  );
}

/**
 * Puts the versions of a change in force, all at once, and takes out what it rolls back. False: somebody
 * else has finished it meanwhile.
 */
export async function finish(pool: Pool, changeId: string): Promise<boolean> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    // A new revision: what is applied later is newer, also where an older change was gone on with.
    const { rows } = await client.query<{ app: string; version: number; restores: number | null }>(
      `UPDATE bac.app_versions SET state = 'applied', applied_at = now(),
         revision = nextval(pg_get_serial_sequence('bac.app_versions', 'revision'))
       WHERE change_id = $1 AND state = 'applying' RETURNING app, version, restores`,
      [changeId],
    );
    for (const { app, version, restores } of rows) {
      if (restores === null) continue;
      await client.query(
        `UPDATE bac.app_versions SET state = 'rolled_back'
         WHERE app = $1 AND version > $2 AND version < $3 AND state IN ('applied', 'failed')`,
        [app, restores, version],
      );
    }
    await client.query('COMMIT');
    return rows.length > 0;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}

export async function fail(pool: Queryable, changeId: string, message: string): Promise<void> {
  await pool.query(
    "UPDATE bac.app_versions SET state = 'failed', message = $2 WHERE change_id = $1 AND state = 'applying'",
    [changeId, message],
  );
}

/** A remark on what is in force already, as that steps of its plan are left. */
export async function remark(pool: Queryable, changeId: string, message: string): Promise<void> {
  await pool.query('UPDATE bac.app_versions SET message = $2 WHERE change_id = $1', [changeId, message]);
}
