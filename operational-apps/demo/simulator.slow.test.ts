import pg from 'pg';
import { expect, test, vi } from 'vitest';
import { silentLogger } from '#kernel';
import { testPostgres } from '#tests/postgres';
import { startEmbeddedPostgres } from '../store/embedded.ts';
import { brokenRules } from './consistency.ts';
import { fillDemo } from './fill.ts';
import { FLOWS, readShops } from './flows/index.ts';
import { random } from './random.ts';
import { startSimulator } from './simulator.ts';

// A real server starts, is filled and killed: plenty of room for slow machines, no timing is asserted.
vi.setConfig({ testTimeout: 180_000 });

const until = new Date('2026-11-22T00:00:00Z');
const patience = { timeout: 60_000, interval: 50 };

test('activity keeps every rule through kill -9 and restart of the database', async () => {
  await using server = await testPostgres();
  await fillDemo({ url: server.url, seed: 3, orders: 500, until });
  const simulator = startSimulator({ url: server.url, seed: 3, rate: 200, logger: silentLogger() });
  try {
    await vi.waitFor(() => expect(simulator.stats().committed).toBeGreaterThan(150), patience);
    process.kill(server.pid, 'SIGKILL');
    await server.exited;
    await vi.waitFor(() => expect(simulator.stats().connected).toBe(false), patience);
    const before = simulator.stats();
    const again = await startEmbeddedPostgres({
      dir: server.dir,
      port: server.port,
      log: silentLogger(),
      settings: { fsync: 'off' },
    });
    try {
      await vi.waitFor(
        () => expect(simulator.stats().committed).toBeGreaterThan(before.committed + 300),
        patience,
      );
      // Nothing is saved up while the database is away.
      expect(simulator.stats().skipped).toBeGreaterThan(before.skipped);
      await simulator.stop();
      const client = new pg.Client({ connectionString: again.url });
      await client.connect();
      expect(await brokenRules(client)).toEqual({});
      const live = await client.query(
        'SELECT count(*)::integer AS n FROM commerce."order" WHERE created_by = \'demo\' AND placed_at > $1',
        [until],
      );
      expect(live.rows[0].n).toBeGreaterThan(50);
      await client.end();
    } finally {
      await simulator.stop();
      await again.stop();
    }
  } finally {
    await simulator.stop();
  }
});

test('waits for the demo to be filled in, obeys the rate, and stops', async () => {
  await using server = await testPostgres();
  const simulator = startSimulator({ url: server.url, seed: 1, rate: 50, logger: silentLogger() });
  await vi.waitFor(() => expect(simulator.stats().lastError).not.toBeNull(), patience);
  expect(simulator.stats()).toMatchObject({ connected: false, committed: 0 });
  await fillDemo({ url: server.url, seed: 1, orders: 200, until });
  await vi.waitFor(() => expect(simulator.stats().committed).toBeGreaterThan(20), patience);
  simulator.setRate(0);
  await vi.waitFor(() => expect(simulator.stats().inFlight).toBe(0), patience);
  const { committed } = simulator.stats();
  expect(simulator.stats().committed).toBe(committed);
  simulator.setRate(100);
  await vi.waitFor(() => expect(simulator.stats().committed).toBeGreaterThan(committed), patience);
  await simulator.stop();
  await simulator.stop();
  expect(simulator.stats().failed).toBe(0);
});

test('everything that can happen does, one after the other, and every rule holds after it', async () => {
  await using server = await testPostgres();
  await fillDemo({ url: server.url, seed: 3, orders: 1500, until });
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  try {
    const shops = await readShops(client);
    const chance = random(3, 'every flow');
    const idle = new Set(Object.keys(FLOWS));
    for (let round = 0; round < 40 && idle.size > 0; round += 1) {
      for (const [name, [, flow]] of Object.entries(FLOWS)) {
        await client.query('BEGIN');
        const did = await flow({ client, random: chance, shop: shops[round % shops.length]! });
        await client.query('COMMIT');
        if (did) idle.delete(name);
      }
    }
    expect([...idle]).toEqual([]);
    expect(await brokenRules(client)).toEqual({});
  } finally {
    await client.end();
  }
});
