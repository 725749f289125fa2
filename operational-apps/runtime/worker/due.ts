import type { Pool } from 'pg';
import { pgIdent } from '#kernel';
import type { AutomationModel } from '../../definitions/index.ts';
import type { EntityInfo } from '../model/catalogue.ts';
import type { Model } from '../model/model.ts';
import type { Sessions } from '../sessions/index.ts';
import { runAutomation } from '../write/automations.ts';
import { subjectOf } from '../write/subject.ts';
import { currentRow, type Unit } from '../write/unit.ts';
import { createWriting } from '../write/writing.ts';

const AT_ONCE = 50;
const ATTEMPTS = 5;
/** What was due longer ago than this when an automation was new, or nobody was there to do it, is left. */
export const LOOK_BACK_DAYS = 7;

interface Due {
  readonly id: string;
  readonly tenant_id: string;
  readonly due_at: string;
}

export interface DueOptions {
  /** As the owner: finds what is due in all tenants. */
  readonly pool: Pool;
  readonly model: Model;
  readonly sessions: Sessions;
}

export const timed = (model: Model): { entity: EntityInfo; automation: AutomationModel }[] =>
  [...model.catalogue.entities.values()].flatMap((entity) =>
    entity.model.automations
      .filter((automation) => automation.when.kind === 'time')
      .map((automation) => ({ entity, automation })),
  );

/**
 * Carries out the automations whose time has come; returns how many. Once per record and due time, by any
 * number of workers: the run is noted in the transaction of its effects, under a key. A failed one is
 * tried again, five times in all.
 */
export async function runDue(options: DueOptions): Promise<number> {
  let ran = 0;
  for (const { entity, automation } of timed(options.model)) {
    for (const due of await findDue(options.pool, entity, automation)) {
      await runOne(options, entity, automation, due);
      ran += 1;
    }
  }
  return ran;
}

async function findDue(pool: Pool, entity: EntityInfo, automation: AutomationModel): Promise<Due[]> {
  const { when } = automation;
  if (when.kind !== 'time') return [];
  const field = entity.fields.get(when.field)!;
  const column = pgIdent(field.columns[0]!);
  const at = `(t.${column}${field.kind === 'date' ? "::timestamp AT TIME ZONE 'UTC'" : ''} + $2 * interval '1 minute')`;
  const bound = field.kind === 'date' ? 'date' : 'timestamptz';
  const tenant = entity.tenantScoped ? 't.tenant_id' : "''";
  const { rows } = await pool.query<Due>(
    `SELECT t.id::text, ${tenant} AS tenant_id, ${at}::text AS due_at FROM ${entity.table} t
     WHERE t.${column} <= (now() - $2 * interval '1 minute')::${bound}
       AND t.${column} >= (now() - $2 * interval '1 minute' - interval '${LOOK_BACK_DAYS} days')::${bound}
       AND NOT EXISTS (SELECT 1 FROM bac.automation_runs r WHERE r.tenant_id = ${tenant} AND r.entity = $1 AND r.automation = $3
                         AND r.record_id = t.id AND r.due_at = ${at} AND (r.state <> 'failed' OR r.attempts >= ${ATTEMPTS}))
     ORDER BY t.${column}, t.id LIMIT ${AT_ONCE}`,
    [entity.path, when.minutes, automation.name],
  );
  return rows;
}

async function runOne(
  { model, sessions }: DueOptions,
  entity: EntityInfo,
  automation: AutomationModel,
  due: Due,
): Promise<void> {
  const user = `automation:${entity.path}.${automation.name}`;
  const principal = {
    tenant: due.tenant_id,
    user,
    roles: ['system'],
    attributes: {},
    scopes: ['read', 'write'] as const,
  };
  const identity = model.policy.identity(principal);
  const access = model.policy.profile(principal);
  const writing = createWriting({
    model,
    sessions,
    principal,
    identity,
    access,
    call: { surface: 'automation' },
    trust: 'both',
  });
  const key = [due.tenant_id, entity.path, automation.name, due.id, due.due_at];
  const note = (state: string, error: string | null) => ({
    text: `INSERT INTO bac.automation_runs AS r (tenant_id, entity, automation, record_id, due_at, state, error)
           VALUES ($1, $2, $3, $4::bigint, $5::timestamptz, $6, $7)
           ON CONFLICT (tenant_id, entity, automation, record_id, due_at) DO UPDATE
             SET state = excluded.state, error = excluded.error, ran_at = now(), attempts = r.attempts + 1
             WHERE r.state = 'failed' RETURNING 1`,
    values: [...key, state, error],
    elevated: true,
  });
  const act = async (unit: Unit): Promise<void> => {
    // Another worker that is at it holds the key until it is done; then there is nothing to do here.
    const claimed = await unit.tx.run(note('done', null));
    if (claimed.rows.length === 0) return;
    const row = await currentRow(unit, entity, due.id);
    const done = row !== null && (await runAutomation(unit, automation, subjectOf(entity, row)));
    if (!done)
      unit.tx.later({
        text: `UPDATE bac.automation_runs SET state = 'skipped' WHERE tenant_id = $1 AND entity = $2 AND automation = $3 AND record_id = $4::bigint AND due_at = $5::timestamptz`,
        values: key,
        elevated: true,
      });
  };
  const once = { key: undefined, request: null };
  try {
    await writing.run(
      once,
      async (unit) => {
        await act(unit);
        return [];
      },
      () => undefined,
    );
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    await sessions.alone(identity, note('failed', message.slice(0, 500)));
  }
}
