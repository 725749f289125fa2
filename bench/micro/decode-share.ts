import { readFileSync } from 'node:fs';
import pg from 'pg';
import { testPostgres } from '../../tests/support/postgres.ts';
import { drainSlot } from '../support/drain.ts';
import { createOrders, runMix, TABLES } from '../support/orders.ts';

/**
 * What a logical slot costs the source when it publishes only a part of what is written: every slot
 * reads and sorts the whole WAL, but sends its own tables only. Two slots over the same changes, one with
 * five tables and one with a single one of them, read bare. Run: node bench/micro/decode-share.ts [changes]
 */
const CHANGES = Number(process.argv[2] ?? 500_000);
const RUNS = 3;

await using server = await testPostgres({ wal_level: 'logical', max_wal_size: '8GB' });
const pool = new pg.Pool({ connectionString: server.url, max: 2 });
pool.on('error', () => undefined); // the server ends first
await pool.query('CREATE SCHEMA bench');
for (const table of TABLES) await pool.query(createOrders(table));
const slots = { five: TABLES, one: TABLES.slice(0, 1) };
for (const [name, tables] of Object.entries(slots)) {
  await pool.query(
    `CREATE PUBLICATION ${name} FOR TABLE ${tables.map((table) => `bench.${table}`).join(', ')}`,
  );
  await pool.query(`SELECT pg_create_logical_replication_slot('${name}', 'pgoutput')`);
}
const client = await pool.connect();
await runMix(client, CHANGES).finally(() => client.release());
await pool.query('CHECKPOINT');
const { rows } = await pool.query<{ lsn: string }>('SELECT pg_current_wal_lsn() AS lsn');
const [high = '0', low = '0'] = rows[0]!.lsn.split('/');
const until = (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
await pool.query(
  "INSERT INTO bench.orders_a SELECT g, 0, 0, 'end', now(), 0, 0, true, '', '' FROM generate_series(0, -20, -1) g",
);
const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

/** Processor seconds of the server's processes that have ended: what others do on the machine does not count. */
function endedCpuSeconds(): number {
  const fields = readFileSync(`/proc/${server.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}
const walsenders = async (): Promise<number> =>
  Number((await pool.query<{ n: string }>('SELECT count(*) AS n FROM pg_stat_replication')).rows[0]!.n);

/** µs of the sending process a change. */
async function drained(slot: string): Promise<number> {
  const costs: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const before = endedCpuSeconds();
    await drainSlot(server.url, slot, slot, until);
    while ((await walsenders()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    await new Promise((resolve) => setTimeout(resolve, 200)); // until its parent has seen it end
    costs.push(((endedCpuSeconds() - before) / CHANGES) * 1e6);
  }
  return median(costs);
}
const [all, one] = [await drained('five'), await drained('one')];
const share = 1 / TABLES.length;
const send = (all - one) / (1 - share);
await pool.end();
console.log(
  JSON.stringify({
    bench: 'decode-share',
    changes: CHANGES,
    microsPerChange: { allPublished: round(all), oneOfFivePublished: round(one) },
    read: round(all - send),
    send: round(send),
  }),
);

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
