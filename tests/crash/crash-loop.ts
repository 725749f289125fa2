import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { expect } from 'vitest';
import { createWarehouse } from '#clickhouse';
import { silentLogger } from '#kernel';
import { compareTable } from '#tests/compare';
import { eventually } from '#tests/eventually';
import type { TestHub } from '#tests/hub';
import { type Random, seeded } from '#tests/random';
import { runWorkload, SETUP } from './workload.ts';

/** Kills one part with SIGKILL and resolves when another one stands in its place. */
export type Kill = () => Promise<void>;

/** A process that some hub supervises; one that is just starting again is fair game. */
export const supervised =
  (hub: TestHub, name: string): Kill =>
  async () => {
    const pid = await eventually(
      async () => hub.processes()[name],
      60_000,
      () => `${name} did not come back`,
    );
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // between death and the supervisor's note of it
    }
    await eventually(
      async () => (hub.processes()[name] !== pid ? true : undefined),
      60_000,
      () => `${name} was not restarted`,
    );
  };

export interface CrashLoop {
  readonly hub: TestHub;
  readonly seed: number;
  readonly kills: number;
  readonly victims: Readonly<Record<string, Kill>>;
}

/** The random workload while one victim after another is killed; at the end every table must equal its source. */
export async function crashLoop({ hub, seed, kills, victims }: CrashLoop): Promise<void> {
  process.stdout.write(`crash loop seed ${seed}\n`);
  const client = (): pg.Client => new pg.Client({ connectionString: hub.postgresUrl });
  const setup = client();
  await setup.connect();
  await setup.query(SETUP);
  await setup.end();
  const added = await hub.bac('connect', 'add', 'shop', '--url', hub.postgresUrl, '--tables', 'shop.*');
  expect(added, added.stderr).toMatchObject({ code: 0 });

  const started = performance.now();
  const since = (): string => `${((performance.now() - started) / 1000).toFixed(0)} s`;
  const stop = new AbortController();
  const workload = runWorkload(hub.postgresUrl, seed, 4, stop.signal);
  const killed = await killLoop(victims, kills, seeded(seed)).finally(() => stop.abort());
  const stats = await workload;
  process.stdout.write(`${since()}: kills ${JSON.stringify(killed)}, workload ${JSON.stringify(stats)}\n`);
  expect(stats.committed).toBeGreaterThan(100);

  const source = client();
  source.on('error', () => {}); // the hub is stopped while a failing test still holds it
  await source.connect();
  await untilEqual(hub, source, seed).catch(async (error: Error) => {
    const status = await hub.bac('status');
    const said = [...hub.output.slice(-200), status.stdout, status.stderr].join('\n');
    throw new Error(`${error.message}\nThe hub said:\n${said}`, { cause: error });
  });
  process.stdout.write(`${since()}: every table equals its source\n`);
  const letters = await source.query('SELECT count(*)::int AS n, min(error) AS error FROM bac.dead_letters');
  expect(letters.rows[0]).toEqual({ n: 0, error: null });
  await source.end();
}

async function killLoop(
  victims: Readonly<Record<string, Kill>>,
  kills: number,
  random: Random,
): Promise<Record<string, number>> {
  const names = Object.keys(victims);
  const killed: Record<string, number> = {};
  for (let round = 0; round < kills; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 200 + random.below(1500)));
    if (names.length === 0) continue;
    const name = names[round % names.length]!;
    killed[name] = (killed[name] ?? 0) + 1;
    await victims[name]!();
  }
  return killed;
}

/** A few of each table. */
const firstOf = (differences: readonly string[]): string[] =>
  Object.values(Object.groupBy(differences, (line) => line.split(/[ :]/)[0]!)).flatMap((lines = []) => [
    ...lines.slice(0, 4).map((line) => line.slice(0, 200)),
    ...(lines.length > 4 ? [`... ${lines.length} lines of this table`] : []),
  ]);

async function untilEqual(hub: TestHub, source: pg.Client, seed: number): Promise<void> {
  const password = readFileSync(join(hub.stateDir, 'clickhouse-password'), 'utf8').trim();
  const url = hub.addresses.clickhouse!;
  const warehouse = createWarehouse({ url, user: 'bac', password, log: silentLogger() });
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
    () => `seed ${seed}, still different:\n${firstOf(differences).join('\n')}`,
  );
  await warehouse.close();
}
