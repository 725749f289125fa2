import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createWarehouse, startEmbeddedClickHouse } from '#clickhouse';
import {
  type Column,
  type ColumnType,
  everythingProfile,
  type SemanticQuery,
  silentLogger,
  systemPrincipal,
  type Warehouse,
  type WarehouseTable,
} from '#kernel';
import {
  Bell,
  buildModel,
  type CubeLayer,
  createCubeLayer,
  declaredRollups,
  generateModel,
  Rollups,
} from '#semantic';
import { percentile } from './support/figures.ts';

export interface RollupsOptions {
  readonly rows?: number;
  /** Of each question, each with another limit. */
  readonly count?: number;
}

const TYPES: Readonly<Record<string, ColumnType>> = {
  id: { kind: 'int8', sourceType: 'bigint' },
  customer: { kind: 'int8', sourceType: 'bigint' },
  status: { kind: 'text', sourceType: 'text' },
  channel: { kind: 'text', sourceType: 'text' },
  amount: { kind: 'numeric', precision: 12, scale: 2, sourceType: 'numeric(12,2)' },
  placed: { kind: 'timestamptz', sourceType: 'timestamptz' },
};

const FACT: WarehouseTable = {
  topic: 'bench.public.orders',
  database: 'bench',
  table: 'orders',
  foreignKeys: [],
  schema: {
    source: 'bench',
    schema: 'public',
    table: 'orders',
    version: 1,
    keyRule: 'primary-key',
    key: ['id'],
    fullIdentity: false,
    columns: Object.entries(TYPES).map(
      ([name, type], index): Column => ({ name, attnum: index + 1, type, nullable: false, fill: null }),
    ),
  },
};

const MODEL = {
  fileName: 'rollups.yaml',
  content: `cubes:
  - name: bench_orders
    pre_aggregations:
      - { name: by_day, measures: [count, amount_sum], dimensions: [status, channel], time_dimension: placed, granularity: day }`,
};

const time = (granularity: string, dateRange?: readonly [string, string]) => ({
  dimension: 'bench_orders.placed',
  granularity,
  ...(dateRange ? { dateRange } : {}),
});
const measures = ['bench_orders.count', 'bench_orders.amount_sum'];
const QUESTIONS: Readonly<Record<string, SemanticQuery>> = {
  statusByMonth: { measures, dimensions: ['bench_orders.status'], timeDimensions: [time('month')] },
  channelByDayOfAQuarter: {
    measures,
    dimensions: ['bench_orders.channel'],
    timeDimensions: [time('day', ['2023-01-01', '2023-03-31'])],
  },
  total: { measures },
};

/**
 * A grouped question over a fact of `rows` orders with and without a roll-up: when nothing has changed since its
 * refresh, and while a thousand orders of one day have; and what building and refreshing it takes.
 */
export async function benchRollups({ rows = 10_000_000, count = 15 }: RollupsOptions = {}): Promise<object> {
  const dir = mkdtempSync(join(tmpdir(), 'bac-bench-'));
  const logger = silentLogger();
  const engine = await startEmbeddedClickHouse({
    dir,
    port: 0,
    user: 'bac',
    password: 'bench',
    sessions: 8,
    log: logger,
  });
  const warehouse = createWarehouse({ url: engine.url, user: 'bac', password: 'bench', log: logger });
  const { layer, rollups } = openLayer(warehouse);
  try {
    await fill(warehouse, rows);
    await layer.load(asker, QUESTIONS.total!);
    const buildMs = await timed(() => rollups.work());
    const [built] = await rollups.status();
    const unchanged = await beside(layer, count, 0);
    await warehouse.command(
      `INSERT INTO bench.orders SELECT id, customer, 'back', channel, amount, placed, _version + 1, 0 FROM bench.orders WHERE id BETWEEN 5000000 AND 5000999`,
    );
    const changed = await beside(layer, count, count);
    const refreshMs = await timed(() => rollups.work());
    const { compared, different } = await rollups.check();
    return {
      benchmark: 'rollups',
      rows,
      rollup: { rows: built?.rows, bytes: built?.bytes, buildMs },
      unchanged,
      changed,
      refreshMs,
      compared,
      different,
    };
  } finally {
    await rollups.close();
    await layer.close();
    await warehouse.close();
    await engine.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

const asker = systemPrincipal('bench');

function openLayer(warehouse: Warehouse): { layer: CubeLayer; rollups: Rollups } {
  const tables = [FACT];
  const everything = everythingProfile(tables);
  const input = { tables, entities: [], curated: [MODEL] };
  let stamp = 0;
  const clock = {
    tablesIn: () => ['bench.orders'],
    stamp: () => ++stamp,
    freshness: () => ({ completeUpTo: null }),
    current: () => Promise.resolve(),
    moved: (signal: AbortSignal) => new Bell().next(signal),
  };
  const right = {
    token: 1,
    signal: new AbortController().signal,
    fenced: (step: () => Promise<void>) => step(),
  };
  const rollups: Rollups = new Rollups({
    warehouse,
    logger: silentLogger(),
    tables: () => Promise.resolve(tables),
    everything: () => Promise.resolve(everything),
    declared: () =>
      declaredRollups(buildModel(input, everything).model, (query) => layer.rollupsFor(everything, query)),
    right: () => Promise.resolve(right),
    // Known to be as it was unless this process has changed it.
    stamp: () => 1,
  });
  const layer: CubeLayer = createCubeLayer({
    warehouse,
    clock,
    logger: silentLogger(),
    rollups,
    profileOf: () => Promise.resolve(everything),
    models: (profile) => Promise.resolve(generateModel(input, profile)),
  });
  return { layer, rollups };
}

async function fill(warehouse: Warehouse, rows: number): Promise<void> {
  await warehouse.command('CREATE DATABASE bench');
  await warehouse.command(`CREATE TABLE bench.orders (id Int64, customer Int64, status String, channel String, amount Decimal(12, 2),
    placed DateTime64(6, 'UTC'), _version UInt64, _deleted UInt8) ENGINE = ReplacingMergeTree(_version, _deleted) ORDER BY id`);
  await warehouse.command(
    `INSERT INTO bench.orders SELECT number, cityHash64(number) % 50000, ['new', 'paid', 'sent', 'back'][number % 4 + 1],
       ['web', 'shop', 'phone'][number % 3 + 1], (cityHash64(number) % 100000) / 100,
       toDateTime64('2022-01-01', 6, 'UTC') + toIntervalSecond(number * 12), 4503599627370496, 0 FROM numbers(${rows})`,
    { settings: { max_insert_threads: 2 } },
  );
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return Math.round((performance.now() - began) * 10) / 10;
}

/** Each question in turn through the roll-up and raw, each with a limit that was not asked for before. */
async function beside(layer: CubeLayer, count: number, from: number): Promise<object> {
  const found: Record<string, object> = {};
  for (const [name, query] of Object.entries(QUESTIONS)) {
    const through: number[] = [];
    const raw: number[] = [];
    let answered = 0;
    for (let index = 0; index <= count; index += 1) {
      const asked = { ...query, limit: 5000 + from + index };
      const one = await timed(async () => {
        const { rollups } = await layer.load(asker, asked);
        answered += rollups!.length;
      });
      const two = await timed(() => layer.load(asker, asked, { rollups: false }));
      // The first of each finds its plan.
      if (index === 0) continue;
      through.push(one);
      raw.push(two);
    }
    found[name] = {
      answeredFromRollup: answered,
      throughRollup: { p50Ms: percentile(through, 50), p99Ms: percentile(through, 99) },
      raw: { p50Ms: percentile(raw, 50), p99Ms: percentile(raw, 99) },
    };
  }
  return found;
}
