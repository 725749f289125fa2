import type { StoredRecord, TableSchema } from '#kernel';
import { BatchEncoder } from '../../clickhouse/sink/batch.ts';
import { compilePlan } from '../../clickhouse/sink/plan.ts';
import { Rows } from '../../clickhouse/sink/rows.ts';
import { column, event, scalar } from '../../clickhouse/sink/testing/events.ts';
import { type AppliedTable, wantedColumns } from '../../clickhouse/tables/index.ts';

/**
 * Cost of one change event on one core from its bytes in the log to its row in an insert's body.
 * Events of about 300-byte rows, 60 % inserts, 30 % updates, 10 % deletes; beside it JSON.parse alone
 * on the same bytes, and the general path that foreign events take. Run: node bench/micro/sink-encode.ts
 */
const EVENTS = 20_000;
const ROUNDS = 15;

const schema: TableSchema = {
  source: 'bench',
  schema: 'public',
  table: 'orders',
  version: 1,
  columns: [
    column(1, 'id', scalar('int8'), { nullable: false }),
    column(2, 'customer_id', scalar('int4')),
    column(3, 'status', scalar('text')),
    column(4, 'total', scalar('numeric', { precision: 12, scale: 2 })),
    column(5, 'placed_at', scalar('timestamptz')),
    column(6, 'paid', scalar('bool')),
    column(7, 'note', scalar('text')),
    column(8, 'address', scalar('text')),
    column(9, 'weight', scalar('float8')),
  ],
  keyRule: 'primary-key',
  key: ['id'],
  fullIdentity: false,
};

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

function records(shape: (value: Buffer) => Buffer): StoredRecord[] {
  return Array.from({ length: EVENTS }, (_, index) => {
    const id = index + 1;
    const options = { lsn: 1_000_000 + index * 200 };
    const kind = index % 10;
    const record =
      kind < 6
        ? event(schema, 'c', null, row(id), options)
        : kind < 9
          ? event(schema, 'u', null, row(id - 6), options)
          : event(schema, 'd', { id: id - 9 }, null, options);
    return { key: record.key, value: shape(record.value!), offset: index };
  });
}

const applied: AppliedTable = {
  database: 'bench',
  table: 'orders',
  stored: 'orders',
  shards: 1,
  generation: 1,
  version: 1,
  columns: wantedColumns(schema),
  key: [1],
  comment: '',
};
const plan = compilePlan(schema, applied, schema);
const target = {
  plans: new Map([[1, plan]]),
  foreign: null,
  partition: 0,
  generation: 1,
  everyVersion: false,
};
const rows = new Rows(1024 * 1024);

/** Microseconds per event, median of the rounds. */
function measure(work: () => void): number {
  const times = Array.from({ length: ROUNDS }, () => {
    const started = performance.now();
    work();
    return ((performance.now() - started) * 1000) / EVENTS;
  }).sort((a, b) => a - b);
  return Math.round(times[ROUNDS >> 1]! * 100) / 100;
}

function encode(batch: readonly StoredRecord[]): void {
  rows.reset();
  const encoder = new BatchEncoder(rows);
  const stop = encoder.run(batch, target);
  if (stop.why !== 'end' || encoder.dead.length > 0) throw new Error(`stopped: ${JSON.stringify(stop)}`);
  rows.body(rows.starts.map((_, index) => index).filter((index) => rows.live[index]));
}

const native = records((value) => value);
// A blank behind the brace is all it takes to leave the fast path.
const foreign = records((value) => Buffer.from(`{ ${value.toString().slice(1, -1)} }`));
const result = {
  bench: 'sink-encode',
  events: EVENTS,
  eventBytes: Math.round(native.reduce((sum, { value }) => sum + value!.length, 0) / EVENTS),
  microsecondsPerEvent: {
    native: measure(() => encode(native)),
    foreign: measure(() => encode(foreign)),
    jsonParseAlone: measure(() => {
      for (const { value } of native) JSON.parse(value!.toString());
    }),
  },
};
console.log(JSON.stringify(result));
