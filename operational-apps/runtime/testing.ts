import pg from 'pg';
import { migrateState, type Principal, silentLogger } from '#kernel';
import { type TestPostgres, testPostgres } from '#tests/postgres';
import { type App, parseApps } from '../definitions/index.ts';
import { applyPlan, planApps } from '../planner/index.ts';
import { type AppsRuntime, type AppsRuntimeOptions, createAppsRuntime, prepareAppsLogin } from './index.ts';

/** A real database with the apps' tables and the engine over it. */
export interface TestRuntime extends AsyncDisposable {
  readonly server: TestPostgres;
  /** As the owner of everything. */
  readonly owner: pg.Pool;
  /** Of the engine's login. */
  readonly url: string;
  readonly runtime: AppsRuntime;
  another(options?: Partial<AppsRuntimeOptions>): AppsRuntime;
}

export async function testRuntime(
  apps: readonly App[],
  options: Partial<AppsRuntimeOptions> = {},
): Promise<TestRuntime> {
  const server = await testPostgres();
  const owner = new pg.Pool({ connectionString: server.url, max: 3 });
  // The server may be stopped before the last connection has closed.
  owner.on('error', () => {});
  const runtimes: AppsRuntime[] = [];
  try {
    await migrateState(owner);
    const url = await prepareAppsLogin(owner, server.url);
    const client = await owner.connect();
    try {
      await applyPlan(client, await planApps(client, apps));
    } finally {
      client.release();
    }
    const another = (more: Partial<AppsRuntimeOptions> = {}): AppsRuntime => {
      const runtime = createAppsRuntime({ url, apps, logger: silentLogger(), ...options, ...more });
      runtimes.push(runtime);
      return runtime;
    };
    return {
      server,
      owner,
      url,
      runtime: another(),
      another,
      async [Symbol.asyncDispose]() {
        for (const runtime of runtimes) await runtime.close();
        await owner.end();
        await server[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await owner.end();
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

export const appsOf = (...contents: string[]): App[] =>
  parseApps(contents.map((content, index) => ({ file: `app${index}.yaml`, content })));

export const someone = (user: string, roles: readonly string[], tenant = 'one'): Principal => ({
  tenant,
  user,
  roles,
  attributes: {},
  scopes: ['read', 'write'],
});
