import { createHash } from 'node:crypto';
import { HubError } from '#kernel';
import type { AppFile } from '../definitions/index.ts';
import { type PlanStep, planApps, type Queryable } from '../planner/index.ts';
import { effectsOf } from './effects.ts';
import { candidate, loadInForce } from './in-force.ts';
import { policyChanges } from './policies.ts';
import { lossOf, ownSteps } from './steps.ts';
import { digest, versionsOf } from './store.ts';
import type { ChangePlan, InForce } from './types.ts';

export interface Planned {
  readonly plan: ChangePlan;
  readonly inForce: InForce;
  readonly given: ReturnType<typeof candidate>['given'];
}

/**
 * What applying these files would do. Reads only. A file takes the place of the app of its name.
 * Errors: APP_INVALID (user) with places; PLAN_IMPOSSIBLE (user).
 */
export async function planChange(
  client: Queryable,
  files: readonly AppFile[],
  source: string,
): Promise<Planned> {
  const inForce = await loadInForce(client);
  const { apps, given } = candidate(inForce, files);
  const names = new Set(given.map(({ app }) => app.name));
  const { steps: all } = await planApps(client, apps);
  const others = new Set(apps.map(({ name }) => name).filter((name) => !names.has(name)));
  const steps = ownSteps(all, await leftSteps(client, inForce), others);
  const planned = await Promise.all(
    given.map(async ({ app, file }) => {
      const current = inForce.versions.find((version) => version.app === app.name);
      const [newest] = await versionsOf(client, app.name);
      return {
        app: app.name,
        label: app.label,
        from: current?.version ?? null,
        to: (newest?.version ?? 0) + 1,
        same: current?.sha256 === digest(file.content),
      };
    }),
  );
  const plan = {
    apps: planned,
    steps,
    ...(await effectsOf(client, apps, steps, source)),
    policies: policyChanges(
      inForce.apps.filter(({ name }) => names.has(name)),
      given.map(({ app }) => app),
    ),
    losses: steps
      .filter(({ kind }) => kind === 'destructive')
      .map((step) => ({ step: step.description, ...lossOf(step) })),
  };
  return { plan: { id: idOf(plan), ...plan }, inForce, given };
}

/** What is still to do for the definitions in force; nothing where that cannot be planned. */
async function leftSteps(client: Queryable, { apps }: InForce): Promise<readonly PlanStep[]> {
  try {
    return (await planApps(client, apps)).steps;
  } catch (error) {
    if (error instanceof HubError && error.code === 'PLAN_IMPOSSIBLE') return [];
    throw error;
  }
}

const idOf = ({ apps, steps }: Pick<ChangePlan, 'apps' | 'steps'>): string =>
  createHash('sha256')
    .update(JSON.stringify([apps, steps]))
    .digest('hex')
    .slice(0, 16);
