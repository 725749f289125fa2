import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { silentLogger } from '#kernel';
import { openEmbeddedLog } from '#stream';
import { eventually } from '#tests/eventually';
import { type TestHub, testHub } from '#tests/hub';

interface TableLine {
  readonly table: string;
  readonly state: string;
  readonly deadLetters: number;
  readonly error: { readonly message: string } | null;
}

async function tables(hub: TestHub): Promise<Record<string, TableLine>> {
  const status = JSON.parse((await hub.bac('status', '--json')).stdout) as {
    sources: { tables: TableLine[] }[];
  };
  return Object.fromEntries((status.sources[0]?.tables ?? []).map((table) => [table.table, table]));
}

const countOf = async (hub: TestHub, table: string): Promise<number> =>
  Number(
    (await hub.bac('sql', `SELECT count() FROM iso.${table} FINAL WHERE _deleted = 0`, '--format', 'TSV'))
      .stdout,
  );

const TABLES = 'good,locked,doomed,poisoned';

test('a locked table, a dropped table and an unstorable change never stop the others', async () => {
  await using hub = await testHub();
  const client = new pg.Client({ connectionString: hub.postgresUrl });
  client.on('error', () => {}); // the hub is stopped while a failing test still holds it
  await client.connect();
  for (const name of ['good', 'locked', 'doomed', 'poisoned']) {
    await client.query(
      `CREATE TABLE ${name} (id bigint PRIMARY KEY, v text); INSERT INTO ${name} SELECT g, 'v' || g FROM generate_series(1, 1000) g`,
    );
  }
  await hub.stream('iso', TABLES);

  // One table cannot be read; its snapshot waits, the others stream.
  const locker = new pg.Client({ connectionString: hub.postgresUrl });
  locker.on('error', () => {}); // the hub is stopped while a failing test still holds it
  await locker.connect();
  await locker.query('BEGIN; LOCK TABLE locked IN ACCESS EXCLUSIVE MODE');
  const again = await hub.bac('connect', 'resnapshot', 'iso', '--tables', 'public.locked');
  expect(again, again.stderr).toMatchObject({ code: 0 });
  await eventually(
    async () => ((await tables(hub)).locked?.state !== 'streaming' ? true : undefined),
    30_000,
    () => 'the locked table claims to stream',
  );
  await client.query("INSERT INTO good SELECT g, 'w' FROM generate_series(1001, 1500) g");
  await eventually(
    async () => ((await countOf(hub, 'good')) === 1500 ? true : undefined),
    20_000,
    () => 'good stands still',
  );

  // A table dropped in the middle: said so, nothing else stops.
  await client.query('DROP TABLE doomed');
  await client.query('DELETE FROM good WHERE id <= 100');
  await eventually(
    async () => ((await countOf(hub, 'good')) === 1400 ? true : undefined),
    20_000,
    () => 'good stands still after a drop',
  );
  await eventually(
    async () => ((await tables(hub)).doomed?.state === 'dropped' ? true : undefined),
    60_000,
    () => 'the drop is not told',
  );

  // A change that cannot be stored is kept with its error; what follows in the same table goes on.
  await eventually(
    async () => ((await tables(hub)).poisoned?.state === 'streaming' ? true : undefined),
    30_000,
  );
  const log = await openEmbeddedLog({ dir: join(hub.stateDir, 'log'), log: silentLogger() });
  await log.append([
    {
      topic: 'iso.public.poisoned',
      partition: 0,
      records: [{ key: Buffer.from('{"id":1}'), value: Buffer.from('{"op":"c","after":{"id":') }],
    },
  ]);
  await log.close();
  await client.query("UPDATE poisoned SET v = 'after the poison' WHERE id = 7");
  await eventually(
    async () => ((await tables(hub)).poisoned?.deadLetters === 1 ? true : undefined),
    20_000,
    () => 'no dead letter',
  );
  await eventually(
    async () =>
      (
        await hub.bac('sql', 'SELECT v FROM iso.poisoned FINAL WHERE id = 7', '--format', 'TSV')
      ).stdout.trim() === 'after the poison'
        ? true
        : undefined,
    20_000,
    () => 'poisoned stands still',
  );

  // The lock goes, and the table comes.
  await locker.query('ROLLBACK');
  await eventually(
    async () => ((await tables(hub)).locked?.state === 'streaming' ? true : undefined),
    60_000,
    () => 'locked never came',
  );
  expect(await countOf(hub, 'locked')).toBe(1000);
  await locker.end();
  await client.end();
});
