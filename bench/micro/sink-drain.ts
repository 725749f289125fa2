import { readFileSync } from 'node:fs';
import type { LogRecord } from '#kernel';
import { column, event, scalar, tableSchema } from '../../clickhouse/sink/testing/events.ts';
import { testWorld } from '../../clickhouse/sink/testing/world.ts';

/**
 * Events waiting in the log until all are in ClickHouse: five tables, rows of about 300 bytes, 60 %
 * inserts, 30 % updates, 10 % deletes. Run: node bench/micro/sink-drain.ts [events]
 */
const EVENTS = Number(process.argv[2] ?? 1_000_000);
const TABLES = 5;
const CHUNK = 5000;

const schemas = Array.from({ length: TABLES }, (_, index) =>
  tableSchema(`orders_${index}`, [
    column(2, 'customer_id', scalar('int4')),
    column(3, 'status', scalar('text')),
    column(4, 'total', scalar('numeric', { precision: 12, scale: 2 })),
    column(5, 'placed_at', scalar('timestamptz')),
    column(6, 'paid', scalar('bool')),
    column(7, 'note', scalar('text')),
    column(8, 'address', scalar('text')),
    column(9, 'weight', scalar('float8')),
  ]),
);

const row = (id: number) => ({
  id,
  customer_id: id % 1000,
  status: 'shipped',
  total: '1234.56',
  placed_at: '2026-03-01 12:34:56.123456+00',
  paid: true,
  note: `Please leave it at the "back door", or ring number ${id % 90}; thanks a lot, and have a nice day. `.repeat(
    2,
  ),
  address: 'Example Street 12\n80331 München',
  weight: 12.75,
});

/** Anonymous memory: without the log's pages, which the system maps and drops as it likes. */
const anonymousMiB = (): number =>
  Number(/RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0) / 1024;

const engineCpuSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
};

const world = await testWorld();
try {
  for (const schema of schemas) await world.register(schema);
  for (let from = 0; from < EVENTS / TABLES; from += CHUNK) {
    for (const schema of schemas) {
      const records = Array.from({ length: CHUNK }, (_, offset): LogRecord => {
        const id = from + offset + 1;
        const options = { lsn: id * 200 };
        const kind = id % 10;
        if (kind < 6) return event(schema, 'c', null, row(id), options);
        return kind < 9
          ? event(schema, 'u', null, row(id - 6), options)
          : event(schema, 'd', { id: id - 9 }, null, options);
      });
      await world.append(schema, records);
    }
  }
  globalThis.gc?.();
  const idle = anonymousMiB();
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, anonymousMiB());
  }, 50);
  const sink = world.sink();
  const cpu = process.cpuUsage();
  const engine = engineCpuSeconds(world.clickhouse.pid);
  const started = performance.now();
  await sink.start();
  await world.drained(300_000);
  const seconds = (performance.now() - started) / 1000;
  const used = process.cpuUsage(cpu);
  clearInterval(watch);
  const stats = sink.stats();
  const parts = await world.warehouse.query<{ n: string }>(
    "SELECT count() AS n FROM system.parts WHERE active AND database = 'shop'",
  );
  console.log(
    JSON.stringify({
      bench: 'sink-drain',
      events: EVENTS,
      seconds: Math.round(seconds * 100) / 100,
      eventsPerSecond: Math.round(EVENTS / seconds),
      sinkCpuSeconds: Math.round((used.user + used.system) / 10_000) / 100,
      engineCpuSeconds: Math.round((engineCpuSeconds(world.clickhouse.pid) - engine) * 100) / 100,
      idleMiB: Math.round(idle),
      peakMiB: Math.round(peak),
      batches: stats.batches,
      rowsStored: stats.rows,
      activeParts: Number(parts[0]?.n),
    }),
  );
} finally {
  await world[Symbol.asyncDispose]();
}
