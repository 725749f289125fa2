import type { LogRecord, TableSchema } from '#kernel';
import { Arena, TableEncoder, TransactionBlock } from '../../cdc/events/index.ts';
import { Decoder } from '../../cdc/pgoutput/index.ts';
import { encode } from '../../cdc/pgoutput/testing.ts';
import { Frames } from '../../cdc/replication/index.ts';

/**
 * Cost of one row on one core from wire bytes to finished change event: framing, decoding, encoding.
 * Rows of about 300 bytes, 60 % inserts, 30 % updates, 10 % deletes; beside it the same events through
 * JavaScript objects and JSON.stringify. Run: node bench/micro/capture-encode.ts
 */
const ROWS = 200_000;
const ROUNDS = 7;

const relation = {
  oid: 1,
  schema: 'public',
  table: 'orders',
  identity: 'd',
  columns: [
    ['id', 20],
    ['customer_id', 23],
    ['status', 25],
    ['total', 1700],
    ['placed_at', 1184],
    ['paid', 16],
    ['note', 25],
    ['address', 25],
    ['weight', 701],
  ].map(([name, typeOid], index) => ({
    name: name as string,
    typeOid: typeOid as number,
    typmod: -1,
    partOfKey: index === 0,
  })),
} as const;

const KINDS = ['int8', 'int4', 'text', 'numeric', 'timestamptz', 'bool', 'text', 'text', 'float8'] as const;
const schema: TableSchema = {
  source: 'bench',
  schema: 'public',
  table: 'orders',
  version: 1,
  columns: relation.columns.map(({ name }, index) => ({
    name,
    attnum: index + 1,
    type: { kind: KINDS[index]!, sourceType: KINDS[index]! },
    nullable: index > 0,
    fill: null,
  })),
  keyRule: 'primary-key',
  key: ['id'],
  fullIdentity: false,
};

function row(id: number): string[] {
  return [
    String(id),
    String(id % 1000),
    'shipped',
    '1234.56',
    '2026-03-01 12:34:56.123456+00',
    't',
    `Please leave it at the "back door", or ring number ${id % 90}; thanks a lot, and have a nice day. `.repeat(
      2,
    ),
    'Example Street 12\n80331 München',
    '12.75',
  ];
}

function wire(): Buffer[] {
  const parts: Buffer[] = [];
  for (let id = 0; id < ROWS; id += 1) {
    const message =
      id % 10 < 6
        ? encode.insert(1, row(id))
        : id % 10 < 9
          ? encode.update(1, row(id))
          : encode.delete(1, 'K', [String(id), ...Array<null>(8).fill(null)]);
    parts.push(encode.frame(16_777_216 + id * 300, message));
  }
  const all = Buffer.concat(parts);
  const chunks: Buffer[] = [];
  for (let at = 0; at < all.length; at += 65_536) chunks.push(all.subarray(at, at + 65_536));
  return chunks;
}

function run(chunks: readonly Buffer[]): { micros: number; bytes: number } {
  const frames = new Frames();
  const decoder = new Decoder();
  const arena = new Arena();
  const block = new TransactionBlock();
  block.set(1_770_000_000_000_000, 4711);
  let bytes = 0;
  let records: LogRecord[] = [];
  const encoder = new TableEncoder({
    schema,
    relation,
    generation: 1,
    partitions: 1,
    emit: (_, record) => {
      bytes += record.value!.length + record.key!.length;
      records.push(record);
    },
  });
  encoder.tick(Date.now());
  const started = cpu();
  for (const chunk of chunks) {
    frames.push(chunk);
    while (frames.next()) {
      const { buffer, start, end } = frames;
      const lsn = buffer.readUInt32BE(start + 1) * 4_294_967_296 + buffer.readUInt32BE(start + 5);
      const message = decoder.decode(buffer, start + 25, end);
      const place = { start, end };
      if (message.kind === 'insert') encoder.insert(message, place, lsn, block, arena);
      else if (message.kind === 'update') encoder.update(message, place, lsn, block, arena);
      else if (message.kind === 'delete') encoder.delete(message, place, lsn, block, arena);
      if (records.length === 10_000) {
        records = [];
        arena.reset();
      }
    }
  }
  return { micros: (cpu() - started) / ROWS, bytes: Math.round(bytes / ROWS) };
}

/** The plain way: a string per value, an object per row, JSON.stringify. */
function plain(chunks: readonly Buffer[]): number {
  const frames = new Frames();
  const decoder = new Decoder();
  let bytes = 0;
  const started = cpu();
  for (const chunk of chunks) {
    frames.push(chunk);
    while (frames.next()) {
      const message = decoder.decode(frames.buffer, frames.start + 25, frames.end);
      if (message.kind !== 'insert' && message.kind !== 'update' && message.kind !== 'delete') continue;
      const tuple = message.kind === 'delete' ? message.old : message.row;
      const after: Record<string, unknown> = {};
      for (let index = 0; index < tuple.count; index += 1) {
        const text =
          tuple.kinds[index] === 0x74
            ? tuple.buffer.toString('utf8', tuple.starts[index], tuple.ends[index])
            : null;
        after[relation.columns[index]!.name] = text;
      }
      const source = {
        connector: 'postgresql',
        name: 'bench',
        schema: 'public',
        table: 'orders',
        ts_ms: 1,
        ts_us: 1,
        txId: 1,
        snapshot: 'false',
        gen: 1,
        sv: 1,
        lsn: 1,
      };
      bytes += Buffer.from(JSON.stringify({ id: after.id })).length;
      bytes += Buffer.from(JSON.stringify({ before: null, after, source, op: 'c', ts_ms: 1 })).length;
    }
  }
  if (bytes === 0) throw new Error('nothing encoded');
  return (cpu() - started) / ROWS;
}

const chunks = wire();
/** Processor time of this thread, microseconds: what others do on the machine does not count. */
function cpu(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
const rounds = Array.from({ length: ROUNDS }, () => run(chunks));
const plainRounds = Array.from({ length: 3 }, () => plain(chunks));
const wireBytes = Math.round(chunks.reduce((sum, chunk) => sum + chunk.length, 0) / ROWS);
console.log(
  JSON.stringify({
    benchmark: 'capture-encode',
    rows: ROWS,
    wireBytesPerRow: wireBytes,
    eventBytesPerRow: rounds[0]!.bytes,
    microsPerRow: Number(median(rounds.map(({ micros }) => micros)).toFixed(2)),
    plainMicrosPerRow: Number(median(plainRounds).toFixed(2)),
  }),
);
