import type { Pool } from 'pg';

/** One line about an app for people: what is in force, and what became of the newest apply. */
export interface AppSummary {
  readonly name: string;
  readonly label: string;
  /** In force; null = none is. */
  readonly version: number | null;
  readonly entities: number;
  readonly origin: 'shipped' | 'applied';
  /** Of the newest apply; interrupted: begun by a process that is gone, and gone on with by the next apply. */
  readonly state: 'applied' | 'applying' | 'interrupted' | 'failed';
  readonly message: string | null;
  readonly appliedAt: Date | null;
  readonly appliedBy: string;
}

/** One statement. Apart from the registry, so that what shows the status loads nothing of the apps. */
export async function appSummaries(pool: Pool): Promise<AppSummary[]> {
  const { rows } = await pool.query<AppSummary>(
    `WITH newest AS (SELECT DISTINCT ON (app) * FROM bac.app_versions ORDER BY app, version DESC),
       current AS (SELECT DISTINCT ON (app) * FROM bac.app_versions WHERE state = 'applied' ORDER BY app, version DESC)
     SELECT n.app AS name, coalesce(c.label, n.label) AS label, c.version, coalesce(c.entities, n.entities) AS entities,
       coalesce(c.origin, n.origin) AS origin,
       CASE WHEN n.state = 'applying' AND NOT EXISTS (SELECT 1 FROM bac.leases WHERE name = 'apps' AND expires_at > now())
         THEN 'interrupted' ELSE n.state END AS state,
       n.message, c.applied_at AS "appliedAt", coalesce(c.applied_by, n.applied_by) AS "appliedBy"
     FROM newest n LEFT JOIN current c USING (app) ORDER BY n.app`,
  );
  return rows;
}
