import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { createWarehouse } from '#clickhouse';
import { silentLogger } from '#kernel';
import { compareTable } from '#tests/compare';
import { eventually } from '#tests/eventually';
import { type TestHub, testHub } from '#tests/hub';
import { type Random, seeded } from '#tests/random';
import { runWorkload, SETUP } from './workload.ts';

const SEED = Number(process.env.CRASH_SEED ?? 20_261_122);
const KILLS = Number(process.env.CRASH_KILLS ?? 32);
/** `CRASH_VICTIMS=none` runs the workload alone: what differs then is no matter of crashes. */
const VICTIMS = (process.env.CRASH_VICTIMS ?? 'capture,sink,clickhouse,postgres').split(',');

/** Kills one part after another at random instants; a victim that is just starting again is fair game. */
async function killLoop(hub: TestHub, random: Random): Promise<Record<string, number>> {
  const kills: Record<string, number> = {};
  for (let round = 0; round < KILLS; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 200 + random.below(1500)));
    const victim = VICTIMS[round % VICTIMS.length]!;
    if (victim === 'none') continue;
    const pid = await eventually(
      async () => hub.processes()[victim],
      60_000,
      () => `${victim} did not come back`,
    );
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // between death and the supervisor's note of it
    }
    kills[victim] = (kills[victim] ?? 0) + 1;
    await eventually(
      async () => (hub.processes()[victim] !== pid ? true : undefined),
      60_000,
      () => `${victim} was not restarted`,
    );
  }
  return kills;
}

test(`after ${KILLS} kills -9 under load every table equals its source (seed ${SEED})`, async () => {
  process.stdout.write(`crash loop seed ${SEED}\n`);
  await using hub = await testHub();
  const client = (): pg.Client => new pg.Client({ connectionString: hub.postgresUrl });
  const setup = client();
  await setup.connect();
  await setup.query(SETUP);
  await setup.end();
  const added = await hub.bac('connect', 'add', 'shop', '--url', hub.postgresUrl, '--tables', 'shop.*');
  expect(added, added.stderr).toMatchObject({ code: 0 });

  const stop = new AbortController();
  const workload = runWorkload(hub.postgresUrl, SEED, 4, stop.signal);
  const kills = await killLoop(hub, seeded(SEED)).finally(() => stop.abort());
  const stats = await workload;
  process.stdout.write(`kills ${JSON.stringify(kills)}, workload ${JSON.stringify(stats)}\n`);
  expect(stats.committed).toBeGreaterThan(100);

  const source = client();
  source.on('error', () => {}); // the hub is stopped while a failing test still holds it
  await source.connect();
  const password = readFileSync(join(hub.stateDir, 'clickhouse-password'), 'utf8').trim();
  const warehouse = createWarehouse({
    url: hub.addresses.clickhouse!,
    user: 'bac',
    password,
    log: silentLogger(),
  });
  const { rows: tables } = await source.query<{ tablename: string }>(
    "SELECT tablename FROM pg_tables WHERE schemaname = 'shop' ORDER BY 1",
  );
  let differences: string[] = [];
  await eventually(
    async () => {
      differences = [];
      for (const { tablename } of tables) {
        differences.push(
          ...(await compareTable(source, warehouse, 'shop', 'shop', tablename).catch((error: Error) => [
            `${tablename}: ${error.message}`,
          ])),
        );
      }
      return differences.length === 0 ? true : undefined;
    },
    180_000,
    () => `seed ${SEED}, still different:\n${differences.slice(0, 30).join('\n')}`,
  );
  const letters = await source.query('SELECT count(*)::int AS n, min(error) AS error FROM bac.dead_letters');
  expect(letters.rows[0]).toEqual({ n: 0, error: null });
  await warehouse.close();
  await source.end();
});
