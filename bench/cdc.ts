import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KafkaCluster, startKafka } from '#deploy/kafka';
import { silentLogger } from '#kernel';
import { measureFreshness } from './freshness.ts';
import { drainSlot } from './support/drain.ts';
import { median } from './support/figures.ts';
import { createOrders, runMix, TABLES } from './support/orders.ts';
import { openRig, peakMemoryMiB } from './support/rig.ts';
import { captureBench, currentLsn, type Engine, setPaused, waitForWatermark } from './support/source.ts';

export interface CdcOptions {
  readonly changes?: number;
  readonly runs?: number;
  /** `kafka`: every run is done twice, with the embedded log and with a broker of its own (deploy/kafka). */
  readonly log?: 'embedded' | 'kafka';
  /**
   * `debezium`: every run is done three times: native with the embedded log, native with Kafka, and Debezium
   * in Kafka Connect; each also with its freshness under a steady load.
   */
  readonly engine?: Engine;
}

const FRESHNESS = { rowsPerSecond: 1000, seconds: 15, firstId: 1_000_000_000 };

/**
 * 1,000,000 row changes wait in the slot; time until all are queryable in ClickHouse, from the start
 * of the capture process on. Beside it, in the same run, the bare drain of the same slot content.
 */
export async function benchCdc({
  changes = 1_000_000,
  runs = 3,
  log = 'embedded',
  engine = 'native',
}: CdcOptions = {}): Promise<object> {
  if (engine === 'debezium') return benchEngines(changes, runs);
  const embedded: Run[] = [];
  const kafka: Run[] = [];
  for (let run = 0; run < runs; run += 1) {
    embedded.push(await once(changes));
    if (log === 'kafka') kafka.push(await onceOnKafka(changes));
  }
  const figures = summary(embedded);
  if (log === 'embedded') return { benchmark: 'cdc', changes, ...figures };
  const there = summary(kafka);
  return {
    benchmark: 'cdc',
    log,
    changes,
    kafkaToEmbedded: Number((there.rowsPerSecond / figures.rowsPerSecond).toFixed(2)),
    embedded: figures,
    kafka: there,
  };
}

async function benchEngines(changes: number, runs: number): Promise<object> {
  const embedded: Run[] = [];
  const kafka: Run[] = [];
  const debezium: Run[] = [];
  for (let run = 0; run < runs; run += 1) {
    embedded.push(await once(changes, { freshness: true }));
    kafka.push(await onceOnKafka(changes, { freshness: true }));
    debezium.push(await onceOnKafka(changes, { freshness: true, engine: 'debezium' }));
  }
  const [first, second, third] = [summary(embedded), summary(kafka), summary(debezium)];
  const times = (rate: number): number => Number((rate / third.rowsPerSecond).toFixed(1));
  return {
    benchmark: 'cdc',
    engine: 'debezium',
    changes,
    nativeToDebezium: { embedded: times(first.rowsPerSecond), kafka: times(second.rowsPerSecond) },
    nativeEmbedded: first,
    nativeKafka: second,
    debeziumKafka: third,
  };
}

type Run = Awaited<ReturnType<typeof once>>;

function summary(runs: readonly Run[]) {
  const rate = median(runs.map((result) => result.rowsPerSecond));
  const limit = median(runs.map((result) => result.bareDrainPerSecond));
  return {
    rowsPerSecond: rate,
    bareDrainPerSecond: limit,
    ratio: Number((rate / limit).toFixed(2)),
    runs,
  };
}

async function onceOnKafka(changes: number, how: How = {}): Promise<Run> {
  const dir = mkdtempSync(join(tmpdir(), 'bac-bench-kafka-'));
  const connect = how.engine === 'debezium';
  const broker = await startKafka({ dir, brokers: 1, connect, throughput: true, log: silentLogger() });
  try {
    return await once(changes, { ...how, broker });
  } finally {
    await broker.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What capture names the publication of source `bench`. */
const PUBLICATION = 'bac_bench';

interface How {
  readonly broker?: KafkaCluster;
  readonly engine?: Engine;
  readonly freshness?: boolean;
}

async function once(changes: number, { broker, engine = 'native', freshness = false }: How = {}) {
  await using rig = await openRig({}, broker?.bootstrap, broker?.connectUrl);
  await rig.pool.query('CREATE SCHEMA bench');
  for (const table of TABLES) await rig.pool.query(createOrders(table));
  const sink = await rig.start('sink');
  const capture = await rig.start('capture');
  await captureBench(rig, TABLES.length, engine);
  if (engine === 'native') await capture.stop();
  else await setPaused(rig, true);
  const client = await rig.pool.connect();
  await runMix(client, changes).finally(() => client.release());
  await rig.pool.query('CHECKPOINT');
  const until = await currentLsn(rig);
  const { rows } = await rig.pool.query<{ slot: string }>(
    "SELECT slot FROM bac.sources WHERE name = 'bench'",
  );
  await rig.pool.query(
    "INSERT INTO bench.orders_a SELECT g, 0, 0, 'end', now(), 0, 0, true, '', '' FROM generate_series(0, -20, -1) g",
  );
  const drained = await drainSlot(rig.url, rows[0]!.slot, PUBLICATION, until);
  const started = performance.now();
  const again = engine === 'native' ? await rig.start('capture') : capture;
  if (engine === 'debezium') await setPaused(rig, false);
  await waitForWatermark(rig, until);
  const seconds = (performance.now() - started) / 1000;
  await checkCounts(rig);
  const { rowsPerSecond, seconds: duration, firstId } = FRESHNESS;
  const connect = broker?.pids().connect ?? null;
  return {
    seconds: Number(seconds.toFixed(2)),
    rowsPerSecond: Math.round(changes / seconds),
    bareDrainSeconds: Number(drained.seconds.toFixed(2)),
    bareDrainPerSecond: Math.round(changes / drained.seconds),
    ...(freshness ? { freshness: await measureFreshness(rig, rowsPerSecond, duration, firstId) } : {}),
    peakMemoryMiB: {
      capture: peakMemoryMiB(again.pid),
      sink: peakMemoryMiB(sink.pid),
      clickhouse: peakMemoryMiB(rig.pids.clickhouse),
      ...(broker ? { broker: peakMemoryMiB(broker.pids().brokers[0]!) } : {}),
      ...(connect === null ? {} : { connect: peakMemoryMiB(connect) }),
    },
  };
}

/** A fast wrong result is no result: counts and sums must agree. */
async function checkCounts(rig: Awaited<ReturnType<typeof openRig>>): Promise<void> {
  for (const table of TABLES) {
    const source = await rig.pool.query<{ n: string; s: string }>(
      `SELECT count(*)::text AS n, sum(total)::text AS s FROM bench.${table} WHERE id > 0`,
    );
    const [there] = await rig.warehouse.query<{ n: string; s: string }>(
      `SELECT toString(count()) AS n, toDecimalString(sum(total), 2) AS s FROM bench.bench_${table} FINAL WHERE _deleted = 0 AND id > 0`,
    );
    if (there?.n !== source.rows[0]!.n || there.s !== source.rows[0]!.s) {
      throw new Error(
        `${table}: source ${JSON.stringify(source.rows[0])}, warehouse ${JSON.stringify(there)}`,
      );
    }
  }
}
