import pg from 'pg';
import { expect, test, vi } from 'vitest';
import { silentLogger } from '#kernel';
import { testPostgres } from '#tests/postgres';
import { applyPlan, planApps } from '../planner/index.ts';
import { startEmbeddedPostgres } from '../store/embedded.ts';
import { brokenRules } from './consistency.ts';
import { demoApps, fillDemo } from './fill.ts';

// A real server starts, is filled and killed: plenty of room for slow machines, no timing is asserted.
vi.setConfig({ testTimeout: 180_000 });

const until = new Date('2026-11-22T00:00:00Z');

async function connect(url: string): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

test('a fill is consistent, leaves the planned schema, and is not done twice', async () => {
  await using server = await testPostgres();
  await using client = await connect(server.url);
  const phases: string[] = [];
  const result = await fillDemo({
    url: server.url,
    seed: 7,
    orders: 2000,
    until,
    onProgress: ({ phase }) => phases.push(phase),
  });
  expect(result).toMatchObject({ filled: true, orders: 2000 });
  expect([...new Set(phases)]).toEqual(['tables', 'rows', 'indexes', 'statistics']);
  // Foreign keys and unique rules were checked by the database when the planner set them again.
  expect((await planApps(client, await demoApps())).steps).toEqual([]);
  expect(await brokenRules(client)).toEqual({});
  const orders = await client.query(
    'SELECT count(*)::integer AS n, count(DISTINCT tenant_id)::integer AS tenants FROM commerce."order"',
  );
  expect(orders.rows[0]).toEqual({ n: 2000, tenants: 2 });

  const again = await fillDemo({ url: server.url, seed: 8, orders: 500, until });
  expect(again).toMatchObject({ filled: false, orders: 2000, rows: result.rows });
  // A new row's key and number come after those that were loaded.
  const next = await client.query(
    `INSERT INTO crm.note (tenant_id, title, body, regarding_type, regarding_id, author_id)
     SELECT tenant_id, 'x', 'x', 'crm.lead', 1, id FROM crm.team_member LIMIT 1 RETURNING id, created_by, version`,
  );
  const high = await client.query('SELECT max(id) AS id FROM crm.note WHERE id <> $1', [next.rows[0].id]);
  expect(Number(next.rows[0].id)).toBeGreaterThan(Number(high.rows[0].id));
  expect(next.rows[0]).toMatchObject({ created_by: 'system', version: 1 });
});

test('a fill that was interrupted is emptied and done anew', async () => {
  await using server = await testPostgres();
  await using client = await connect(server.url);
  const stop = new AbortController();
  const options = { url: server.url, seed: 7, orders: 2000, until };
  await expect(
    fillDemo({
      ...options,
      signal: stop.signal,
      onProgress: ({ phase, done }) => {
        if (phase === 'rows' && done > 0.5) stop.abort();
      },
    }),
  ).rejects.toMatchObject({ code: 'DEMO_ABORTED' });
  expect((await client.query('SELECT state FROM bac.demo_fill')).rows).toEqual([{ state: 'filling' }]);
  expect(await fillDemo(options)).toMatchObject({ filled: true, orders: 2000 });
  expect(await brokenRules(client)).toEqual({});
  expect((await client.query('SELECT count(*)::integer AS n FROM commerce."order"')).rows).toEqual([
    { n: 2000 },
  ]);
});

test('a server killed in the middle of a fill fails it; after its restart the next one succeeds', async () => {
  await using server = await testPostgres();
  let killed = false;
  const options = { seed: 1, orders: 2000, until };
  await expect(
    fillDemo({
      ...options,
      url: server.url,
      onProgress: ({ phase, done }) => {
        if (phase !== 'rows' || done < 0.4 || killed) return;
        killed = true;
        process.kill(server.pid, 'SIGKILL');
      },
    }),
  ).rejects.toThrow();
  await server.exited;
  const again = await startEmbeddedPostgres({ dir: server.dir, port: 0, log: silentLogger() });
  try {
    expect(await fillDemo({ ...options, url: again.url })).toMatchObject({ filled: true });
    await using client = await connect(again.url);
    expect(await brokenRules(client)).toEqual({});
  } finally {
    await again.stop();
  }
});

test('tables with rows of somebody else are left alone', async () => {
  await using server = await testPostgres();
  await using client = await connect(server.url);
  await applyPlan(client, await planApps(client, await demoApps()));
  await client.query(
    "INSERT INTO crm.team_member (tenant_id, name, email, role, region, currency) VALUES ('own', 'A', 'a@b.example', 'sales', 'DE', 'EUR')",
  );
  await expect(fillDemo({ url: server.url, seed: 1, orders: 100, until })).rejects.toMatchObject({
    code: 'DEMO_TABLES_IN_USE',
    disposition: 'user',
  });
  expect((await client.query('SELECT name FROM crm.team_member')).rows).toEqual([{ name: 'A' }]);
});
