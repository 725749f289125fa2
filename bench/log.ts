import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ChangeLog, type LogRecord, silentLogger } from '#kernel';
import { openEmbeddedLog } from '#stream';

/**
 * Speed of the embedded log: `node bench/log.ts [records] [runs]` prints one JSON document.
 * append and scan: change events of about 400 bytes, 1000 to a call, eight calls under way, four partitions,
 * flushed to disk. wakeup: append() in one process until the handler is called in another.
 */
const RECORDS = Number(process.argv[2] ?? 400_000);
const RUNS = Number(process.argv[3] ?? 3);
const PER_CALL = 1000;
const PARTITIONS = 4;
const WAKEUPS = 200;

function changeEvent(id: number): LogRecord {
  const noise = (id * 2_654_435_761) % 2 ** 32;
  const event = {
    op: 'c',
    before: null,
    after: {
      id,
      name: `Customer ${noise.toString(36)}`,
      email: `${(noise ^ 0x5bd1e995).toString(36)}@example.com`,
      amount: (noise / 1e5).toFixed(2),
      created: new Date(1.7e12 + id * 977).toISOString(),
    },
    source: {
      connector: 'postgresql',
      name: 'shop',
      schema: 'public',
      table: 'customers',
      ts_ms: 1.7e12 + id,
      ts_us: 1.7e15 + id * 1000,
      txId: id >> 3,
      lsn: 12_345_678 + id * 211,
      snapshot: 'false',
      gen: 1,
      sv: 1,
    },
    ts_ms: 1.7e12 + id + 7,
  };
  return { key: Buffer.from(`{"id":${id}}`), value: Buffer.from(JSON.stringify(event)) };
}

interface Measured {
  readonly perSecond: number;
  readonly cpuMicrosecondsPerRecord: number;
}

async function measure(work: () => Promise<void>): Promise<Measured> {
  const cpu = process.cpuUsage();
  const at = performance.now();
  await work();
  const seconds = (performance.now() - at) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return {
    perSecond: Math.round(RECORDS / seconds),
    cpuMicrosecondsPerRecord: Number(((user + system) / RECORDS).toFixed(2)),
  };
}

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return Number(sorted[Math.floor(sorted.length / 2)]!.toFixed(2));
};
const medians = (runs: readonly Measured[]): Measured => ({
  perSecond: median(runs.map((run) => run.perSecond)),
  cpuMicrosecondsPerRecord: median(runs.map((run) => run.cpuMicrosecondsPerRecord)),
});

async function append(log: ChangeLog, topic: string, calls: readonly LogRecord[][]): Promise<void> {
  const underWay = new Set<Promise<unknown>>();
  for (const [index, records] of calls.entries()) {
    const call = log.append([{ topic, partition: index % PARTITIONS, records }]);
    underWay.add(call);
    void call.then(() => underWay.delete(call));
    if (underWay.size >= 8) await Promise.race(underWay);
  }
  await Promise.all(underWay);
}

async function scan(log: ChangeLog, topic: string, group: string | null): Promise<void> {
  let left = RECORDS;
  let done: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => {
    done = resolve;
  });
  const consumer = log.consume({
    group,
    topics: [topic],
    onBatch: async ({ records }) => {
      left -= records.length;
      if (left === 0) done();
    },
  });
  await finished;
  await consumer.stop();
}

/** In the child: appends the time whenever asked to. */
async function appender(dir: string): Promise<void> {
  const log = await openEmbeddedLog({ dir, log: silentLogger() });
  process.on('message', () => {
    const value = Buffer.from(String(performance.timeOrigin + performance.now()));
    void log.append([{ topic: 'wakeup', partition: 0, records: [{ key: null, value }] }]);
  });
  process.on('disconnect', () => void log.close().then(() => process.exit(0)));
  process.send?.('ready');
}

async function wakeups(log: ChangeLog, dir: string): Promise<number[]> {
  await log.ensureTopic('wakeup', { partitions: 1 });
  const child = fork(fileURLToPath(import.meta.url), ['appender', dir], { execArgv: [] });
  await once(child, 'message');
  const times: number[] = [];
  await new Promise<void>((resolve) => {
    const consumer = log.consume({
      group: 'wakeup',
      topics: ['wakeup'],
      onBatch: async ({ records }) => {
        times.push(performance.timeOrigin + performance.now() - Number(records[0]!.value));
        if (times.length < WAKEUPS) child.send('next');
        else void consumer.stop().then(resolve);
      },
    });
    void consumer.ready.then(() => child.send('first'));
  });
  const gone = once(child, 'exit');
  child.disconnect();
  await gone;
  return times.sort((a, b) => a - b);
}

async function main(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'bac-bench-log-'));
  const log = await openEmbeddedLog({ dir, log: silentLogger() });
  const calls = Array.from({ length: RECORDS / PER_CALL }, (_, call) =>
    Array.from({ length: PER_CALL }, (_, index) => changeEvent(call * PER_CALL + index)),
  );
  const bytes = calls[0]!.reduce((sum, { key, value }) => sum + key!.length + value!.length, 0) / PER_CALL;
  const appends: Measured[] = [];
  const scans: Measured[] = [];
  const groups: Measured[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const topic = `run${run}`;
    await log.ensureTopic(topic, { partitions: PARTITIONS });
    appends.push(await measure(() => append(log, topic, calls)));
    scans.push(await measure(() => scan(log, topic, null)));
    groups.push(await measure(() => scan(log, topic, 'bench')));
  }
  const times = await wakeups(log, dir);
  const topics = await log.topics('run');
  const stored = topics[0]!.extents.reduce((sum, extent) => sum + extent.bytes, 0);
  const document = {
    bench: 'log',
    cores: availableParallelism(),
    runs: RUNS,
    records: RECORDS,
    bytesPerRecord: Math.round(bytes),
    storedBytesPerRecord: Math.round(stored / RECORDS),
    fileBytes: statSync(join(dir, 'log.lmdb')).size,
    append: medians(appends),
    scan: medians(scans),
    scanInGroup: medians(groups),
    wakeupMs: {
      p50: median(times),
      p99: Number(times[Math.floor(times.length * 0.99)]!.toFixed(2)),
    },
    rssBytes: process.memoryUsage.rss(),
  };
  await log.close();
  rmSync(dir, { recursive: true, force: true });
  console.log(JSON.stringify(document, null, 2));
}

if (process.argv[2] === 'appender') await appender(process.argv[3]!);
else await main();
