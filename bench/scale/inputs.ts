/**
 * What the model is fed with. `measured`: seen on the machine of docs/performance.md (2 cores), per core,
 * with rows of about 300 bytes; `how` says by which benchmark. `guess`: not measured here; `how` says where
 * it comes from. Whoever has a better figure changes it here, runs `bac bench scale` and the page's table
 * follows (a test holds the two together).
 */
export interface Input {
  readonly value: number;
  readonly unit: string;
  readonly kind: 'measured' | 'guess';
  readonly how: string;
}

const measured = (value: number, unit: string, how: string): Input => ({
  value,
  unit,
  kind: 'measured',
  how,
});
const guess = (value: number, unit: string, how: string): Input => ({ value, unit, kind: 'guess', how });

export const INPUTS = {
  walRead: measured(
    2.5,
    'µs/change',
    '`bench/micro/decode-share.ts`: what every slot pays for every change in the WAL',
  ),
  walSend: measured(9.4, 'µs/change', 'the same: what a slot pays for a change it publishes'),
  captureEncode: measured(2.6, 'µs/change', '`bench/micro/capture-encode.ts`'),
  logAppend: measured(
    1.5,
    'µs/change',
    'docs/performance.md, from `bench/log.ts`: LMDB with zstd; taken for the Kafka producer as well',
  ),
  sink: measured(
    9.9,
    'µs/change',
    '`bench/micro/sink-drain.ts`: the sink process, all of its threads: reading the log, encoding (5.8 by `bench/micro/sink-encode.ts`), inserting',
  ),
  shardHash: measured(
    0.2,
    'µs/change',
    '`bench/micro/shard-hash.ts`: finding the shard of a row by an integer key (UUID: 0.5)',
  ),
  engine: measured(
    7,
    'µs/change',
    '`bench/micro/sink-drain.ts`: parsing, sorting, writing and the first merges; the engine process',
  ),
  wireBytes: measured(323, 'B/change', '`bench/micro/capture-encode.ts`: pgoutput on the wire'),
  eventBytes: measured(603, 'B/change', 'the same: key and value of an event'),
  insertsPerCore: measured(
    12,
    'inserts/s',
    '`bac bench freshness` at 5,000 rows/s: five tables rest 200 ms on 2 shared cores',
  ),
  batchRows: measured(
    6900,
    'rows',
    'largest delivery of one partition: 4 MiB of events (`clickhouse/sink/sink.ts`)',
  ),
  byteShare: guess(0.5, '', 'part of the cost of a row that grows with its bytes; the rest is per row'),
  laterMerges: guess(
    3,
    'merges',
    'times a row is merged after the first merges; ten parts into one, from 10^5 to 10^8 rows',
  ),
  mergeCost: guess(
    0.7,
    'µs/row',
    'one merge of one row, on each replica; a tenth of the engine’s cost of a new row',
  ),
  fetchCost: guess(0.3, 'µs/row', 'a replica fetching a part instead of parsing it'),
  eventCompression: guess(3, '×', 'zstd over batches of events'),
  storedCompression: guess(4, '×', 'ClickHouse’s LZ4 over columns of business data'),
  versions: guess(1.3, '×', 'superseded and deleted versions that merges have not removed yet'),
  diskHeadroom: guess(1.5, '×', 'free space for merges and for a table built beside the live one'),
  brokerBytes: guess(60e6, 'B/s', 'a broker’s sustained intake before replication, compressed'),
  brokerVcpu: guess(4, 'vCPU', 'a broker'),
  sourceVcpu: guess(16, 'vCPU', 'a database server; its own work is not counted'),
  serverDisk: guess(
    4e12,
    'B',
    'what is kept on one ClickHouse server, so that a lost one is copied within hours',
  ),
  serverWrites: guess(500e6, 'B/s', 'sustained writes of its SSD'),
  nodeGbit: guess(10, 'Gbit/s', 'network of a server'),
  crossZone: guess(
    0.67,
    '',
    'part of the traffic that crosses zones: three zones, nothing placed on purpose',
  ),
  vcpuHour: guess(0.05, '$', 'a vCPU-hour with 4 GiB of memory, list price without reservation'),
  gbMonth: guess(0.08, '$', 'a GB-month of network SSD'),
  gbCrossed: guess(0.02, '$', 'a GB between zones, both directions together'),
} as const satisfies Record<string, Input>;

/** Highest part of a resource that is used: what is left is for bursts, catching up, failover. */
export const TARGETS = {
  /** One core decoding for one slot at the source. */
  slot: 0.7,
  /** A Node process (one busy thread): capture, sink. */
  process: 0.6,
  /** Cores of ClickHouse for writing; queries have the rest. */
  engine: 0.4,
  broker: 0.6,
  network: 0.5,
  inserts: 0.5,
  writes: 0.5,
} as const;

export interface Load {
  readonly name: string;
  readonly changesPerSecond: number;
  readonly rowBytes: number;
  /** Tables that change all the time. */
  readonly tables: number;
  /** Part of the changes in the busiest table. */
  readonly largestShare: number;
  /** Bytes of the tables at the source, without indexes. */
  readonly storedBytes: number;
  readonly retentionHours: number;
  readonly logReplicas: number;
  readonly warehouseReplicas: number;
  /** vCPU of a ClickHouse server. */
  readonly engineVcpu: number;
}

const TB = 1e12;
const common = { rowBytes: 300, retentionHours: 24, logReplicas: 3, warehouseReplicas: 2 };

export const LOADS: readonly Load[] = [
  {
    ...common,
    name: '10k/s',
    changesPerSecond: 10_000,
    engineVcpu: 4,
    tables: 20,
    largestShare: 0.4,
    storedBytes: 0.1 * TB,
  },
  {
    ...common,
    name: '100k/s',
    changesPerSecond: 100_000,
    engineVcpu: 8,
    tables: 50,
    largestShare: 0.4,
    storedBytes: 1 * TB,
  },
  {
    ...common,
    name: '1M/s',
    changesPerSecond: 1_000_000,
    engineVcpu: 16,
    tables: 100,
    largestShare: 0.4,
    storedBytes: 5 * TB,
  },
  {
    ...common,
    name: '1M/s, 10 TB',
    changesPerSecond: 1_000_000,
    engineVcpu: 16,
    tables: 100,
    largestShare: 0.4,
    storedBytes: 10 * TB,
  },
];
