import type { Pool } from 'pg';
import type { AppRegistry } from '#apps';
import type { HubServices } from '../http/index.ts';
import { appSummaries } from './summaries.ts';

/** The registry as the HTTP surface has it. */
export const appsService = (pool: Pool, registry: AppRegistry): HubServices['apps'] => ({
  async list() {
    const { invalid } = await registry.inForce();
    return (await appSummaries(pool)).map((app) => ({ ...app, invalid: invalid.get(app.name) ?? null }));
  },
  async show(app) {
    const versions = await registry.versions(app);
    const current = versions.find(({ state }) => state === 'applied');
    const { invalid } = await registry.inForce();
    return {
      name: app,
      label: (current ?? versions[0])!.label,
      version: current?.version ?? null,
      invalid: invalid.get(app) ?? null,
      yaml: (current ?? versions[0])!.yaml,
      versions: versions.map(({ yaml: _, revision: __, changeId: ___, plan, ...rest }) => ({
        ...rest,
        steps: plan.length,
      })),
    };
  },
  plan: (files) => registry.plan(files),
  apply: (files, options) => registry.apply(files, options),
  planRollback: (app) => registry.planRollback(app),
  rollback: (app, options) => registry.rollback(app, options),
});
