import { type AppliedTable, Sharder } from '../../clickhouse/tables/index.ts';

/** Cost of finding the shard of a row of about 300 bytes, key first. Run: node bench/micro/shard-hash.ts */
const ROWS = 100_000;
const ROUNDS = 15;

const applied = (keys: Pick<AppliedTable, 'columns' | 'key'>) => ({ ...keys, shards: 8 });
const integer = applied({ columns: [{ attnum: 1, name: 'id', type: 'Int64', comment: '' }], key: [1] });
const uuid = applied({ columns: [{ attnum: 1, name: 'id', type: 'UUID', comment: '' }], key: [1] });

/** Processor time of this thread, microseconds: what others do on the machine does not count. */
function cpu(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

function micros(sharder: Sharder, key: (n: number) => string): number {
  const body = Buffer.from(
    Array.from({ length: ROWS }, (_, n) => `${key(n)}\t${'x'.repeat(290)}\n`).join(''),
  );
  const ends: number[] = [];
  for (let at = body.indexOf(10); at >= 0; at = body.indexOf(10, at + 1)) ends.push(at);
  const times = Array.from({ length: ROUNDS }, () => {
    const started = cpu();
    let start = 0;
    for (const end of ends) {
      sharder.of(body, start, end);
      start = end + 1;
    }
    return (cpu() - started) / ROWS;
  });
  return Number(times.sort((a, b) => a - b)[ROUNDS >> 1]!.toFixed(3));
}

console.log(
  JSON.stringify({
    bench: 'shard-hash',
    microsPerRow: {
      integer: micros(new Sharder(integer), (n) => String(1_000_000 + n)),
      uuid: micros(new Sharder(uuid), (n) => `61f0c404-5cb3-41e7-907b-${n.toString(16).padStart(12, '0')}`),
    },
  }),
);
