import { INPUTS, type Load, TARGETS } from './inputs.ts';

/** What one resource gives and how much of it is used. */
export interface Usage {
  readonly resource: string;
  /** Changes per second at which its target would be reached, everything else unbounded. */
  readonly limit: number;
  /** 0 to 1, at the load of the plan. */
  readonly used: number;
  readonly target: number;
}

export interface Plan {
  readonly load: Load;
  /** Database servers: PostgreSQL primaries, or YugabyteDB nodes that hold leaders. */
  readonly sources: number;
  readonly slots: number;
  /** Of the busiest table: more than one means that its key is split into hash ranges. */
  readonly slotsOfLargest: number;
  readonly captures: number;
  readonly embeddedLog: boolean;
  readonly brokers: number;
  readonly partitionsOfLargest: number;
  readonly partitions: number;
  readonly sinks: number;
  readonly shards: number;
  readonly servers: number;
  /** Rows of one insert into one shard; inserts a second into one shard. */
  readonly insertRows: number;
  readonly insertsPerSecond: number;
  /** How long a busy table rests between inserts: about what a change waits at most before it can be read. */
  readonly restSeconds: number;
  readonly mergedRowsPerSecond: number;
  readonly logDisk: number;
  readonly warehouseDisk: number;
  /** Bytes a second over all links. */
  readonly network: number;
  readonly snapshotHours: number;
  readonly vcpus: number;
  readonly cost: {
    readonly compute: number;
    readonly disk: number;
    readonly network: number;
    readonly total: number;
  };
  readonly usage: readonly Usage[];
}

const SECONDS_PER_MONTH = 730 * 3600;
const GB = 1e9;
/** Embedded log: one machine, one writer. Beyond half of what one writer does, or where loss of a disk matters, Kafka. */
const EMBEDDED_LIMIT = 50_000;
const MIN_REST = 0.2;

const i = Object.fromEntries(Object.entries(INPUTS).map(([name, { value }]) => [name, value])) as {
  readonly [Name in keyof typeof INPUTS]: number;
};

/** Costs grow with the bytes of a row, in part. */
const scaled = (micros: number, rowBytes: number): number =>
  micros * (1 - i.byteShare + (i.byteShare * rowBytes) / 300);

/** What one change costs each part, whatever their number. */
function costs({ rowBytes, warehouseReplicas: replicas }: Load) {
  const factor = rowBytes / 300;
  const merging = i.laterMerges * i.mergeCost;
  const event = i.eventBytes * factor;
  return {
    /** µs of a slot, for what it reads and for what it sends. */
    read: scaled(i.walRead, rowBytes),
    send: scaled(i.walSend, rowBytes),
    /** µs of a process. */
    capture: scaled(i.captureEncode + i.logAppend, rowBytes),
    sink: scaled(i.sink + i.shardHash, rowBytes),
    /** µs of one server: inserts of a shard are shared by its replicas, each fetches what the others took. */
    engine:
      (scaled(i.engine + merging, rowBytes) + scaled(i.fetchCost + merging, rowBytes) * (replicas - 1)) /
      replicas,
    /** Bytes. */
    wire: i.wireBytes * factor,
    event,
    compressed: event / i.eventCompression,
    row: rowBytes,
    stored: rowBytes / i.storedCompression,
    /** Bytes that one server writes, first and merging. */
    written: (rowBytes / i.storedCompression) * (2 + i.laterMerges),
    /** Bytes through one server's network: its part of the inserts, and parts of the others. */
    served: rowBytes / replicas + ((rowBytes / i.storedCompression) * 2 * (replicas - 1)) / replicas,
  };
}

const units = (demand: number, perUnit: number, target: number): number =>
  Math.ceil(demand / (perUnit * target));

/**
 * The smallest installation in which nothing is above its target. Each count only grows with the load.
 * Queueing is in the targets: a server that is used to 60 or 70 % makes work wait for one and a half to
 * two and a half times its own length on average, more in bursts.
 */
export function plan(load: Load): Plan {
  const { changesPerSecond: rate, engineVcpu, warehouseReplicas: replicas } = load;
  const cost = costs(load);
  // Each slot of a server reads all of its WAL; half of its cores may decode.
  const most = i.sourceVcpu / 2;
  const sources = units(rate * (cost.read + cost.send / most), 1e6, TARGETS.slot);
  const left = (1e6 * TARGETS.slot * sources) / rate - cost.read;
  const slotsEach = Math.max(Math.ceil(cost.send / left), Math.ceil(((sources - 1) * most) / sources));
  const slots = sources * Math.min(slotsEach, most);
  const slotsOfLargest = Math.max(1, Math.ceil(slots * load.largestShare));

  const captures = Math.max(sources, units(rate * cost.capture, 1e6, TARGETS.process));
  const embeddedLog = rate <= EMBEDDED_LIMIT;
  const brokers = embeddedLog
    ? 0
    : Math.max(load.logReplicas, units(rate * cost.compressed, i.brokerBytes, TARGETS.broker));

  const sinks = units(rate * cost.sink, 1e6, TARGETS.process);
  // Two partitions for each sink that the busiest table keeps busy, so that a sink more or less moves little.
  const partitionsOfLargest = sinks === 1 ? 1 : Math.ceil(sinks * load.largestShare) * 2;
  const partitions = partitionsOfLargest * load.tables;

  const data = (load.storedBytes / i.storedCompression) * i.versions * i.diskHeadroom;
  const shards = Math.max(
    units(rate * cost.engine, 1e6 * engineVcpu, TARGETS.engine),
    units(rate * cost.written, i.serverWrites, TARGETS.writes),
    units(rate * cost.served * 8, i.nodeGbit * 1e9, TARGETS.network),
    Math.ceil(data / i.serverDisk),
  );
  const servers = shards * replicas;

  // Each batch of a partition is an insert into every shard; a busy table rests until the shard bears that.
  const bearable = i.insertsPerCore * engineVcpu * replicas * TARGETS.inserts;
  const fullBatches = rate / i.batchRows;
  const insertsPerSecond = Math.max(Math.min(partitions / MIN_REST, bearable), fullBatches);
  const restSeconds = partitions / insertsPerSecond;
  const insertRows = rate / shards / insertsPerSecond;

  const warehouseDisk = data * replicas;
  const logDisk = rate * cost.compressed * load.retentionHours * 3600 * (embeddedLog ? 1 : load.logReplicas);
  const log = embeddedLog ? 0 : cost.compressed * (load.logReplicas + 1);
  const network = rate * (cost.wire + log + cost.row + cost.stored * (replicas - 1));

  const snapshotRows = load.storedBytes / load.rowBytes;
  const snapshotHours =
    (snapshotRows *
      Math.max(
        // Sources give half of their cores, the engine what writing may have.
        SNAPSHOT.source / (sources * most),
        SNAPSHOT.capture / captures,
        SNAPSHOT.engine / (shards * engineVcpu * TARGETS.engine),
      )) /
    1e6 /
    3600;

  const vcpus = captures + sinks + brokers * i.brokerVcpu + servers * engineVcpu + HUB_VCPU;
  const compute = vcpus * i.vcpuHour * 730;
  const disk = ((warehouseDisk + logDisk) / GB) * i.gbMonth;
  const crossed = ((network * i.crossZone * SECONDS_PER_MONTH) / GB) * i.gbCrossed;
  const whole = {
    load,
    sources,
    slots,
    slotsOfLargest,
    captures,
    embeddedLog,
    brokers,
    partitionsOfLargest,
    partitions,
    sinks,
    shards,
    servers,
    insertRows,
    insertsPerSecond,
    restSeconds,
    logDisk,
    warehouseDisk,
    network,
    mergedRowsPerSecond: rate * (1 + i.laterMerges) * replicas,
    snapshotHours,
    vcpus,
    cost: { compute, disk, network: crossed, total: compute + disk + crossed },
  };
  return { ...whole, usage: usageOf(whole) };
}

/** µs of one core a row, from the 5,000,000 rows of `bac bench snapshot` (docs/performance.md). */
const SNAPSHOT = { source: 1.8, capture: 0.8, engine: 2.4 } as const;
/** api, worker, supervisor, state database. */
const HUB_VCPU = 4;

/** How far each resource is used, and at which rate of the same kind of load it would reach its target. */
function usageOf(given: Omit<Plan, 'usage'>): Usage[] {
  const { load, sources, slots, captures, brokers, sinks, shards, servers } = given;
  const cost = costs(load);
  const of = (resource: string, perChange: number, capacity: number, target: number): Usage => ({
    resource,
    limit: (capacity * target) / perChange,
    used: (load.changesPerSecond * perChange) / capacity,
    target,
  });
  const data = given.warehouseDisk / i.serverDisk / servers;
  return [
    of('decoding at the source', cost.read + (cost.send * sources) / slots, 1e6 * sources, TARGETS.slot),
    of('capture', cost.capture, 1e6 * captures, TARGETS.process),
    given.embeddedLog
      ? of('embedded log', 1, EMBEDDED_LIMIT * 2, 0.5)
      : of('brokers', cost.compressed, i.brokerBytes * brokers, TARGETS.broker),
    of('sinks', cost.sink, 1e6 * sinks, TARGETS.process),
    of('ClickHouse: cores for writing', cost.engine, 1e6 * shards * load.engineVcpu, TARGETS.engine),
    of('ClickHouse: writes to disk', cost.written, i.serverWrites * shards, TARGETS.writes),
    of('ClickHouse: network', cost.served * 8, i.nodeGbit * 1e9 * shards, TARGETS.network),
    // Not a matter of the rate.
    { resource: 'ClickHouse: disk', limit: Number.POSITIVE_INFINITY, used: data, target: 1 },
  ];
}

/** What passes its target when the load grows and the installation does not, the first first. */
export const saturation = (given: Plan): Usage[] => [...given.usage].sort((a, b) => a.limit - b.limit);
