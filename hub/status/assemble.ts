import { type Config, type PartitionLag, type TopicInfo, warehouseTableOf } from '#kernel';
import type { Rates } from './rates.ts';
import type { RoleRow, SourceRow, StateRows, TableRow } from './read-state.ts';
import type {
  AppStatus,
  LagAlarm,
  ModelLine,
  RoleStatus,
  RollupLine,
  SourceStatus,
  TableStatus,
  Totals,
} from './types.ts';
import type { WarehouseFigures } from './warehouse-figures.ts';

/** A role that has not reported for this long is shown as silent. */
const SILENT_MS = 15_000;

export interface Readings {
  readonly state: StateRows;
  /** Of the sink's group; null when the log could not be read. */
  readonly lag: readonly PartitionLag[] | null;
  readonly topics: readonly TopicInfo[] | null;
  readonly warehouse: WarehouseFigures;
  /** Wall clock ms (for ages) and monotonic ms (for rates). */
  readonly now: number;
  readonly tick: number;
}

/** Pure: readings to the sources part of the status document. `rates` keeps what it saw before. */
export function assembleSources(readings: Readings, rates: Rates, config: Config): SourceStatus[] {
  const lag = new Map<string, { lag: number; committed: number }>();
  for (const part of readings.lag ?? []) {
    const sum = lag.get(part.topic) ?? { lag: 0, committed: 0 };
    lag.set(part.topic, { lag: sum.lag + part.lag, committed: sum.committed + part.committed });
  }
  const bySource = new Map<string, TableStatus[]>();
  const seen = new Set<string>();
  for (const row of readings.state.tables) {
    const tables = bySource.get(row.source) ?? [];
    tables.push(tableStatus(row, lag, readings, rates, seen));
    bySource.set(row.source, tables);
  }
  rates.sweep(seen);
  return readings.state.sources.map((row) => sourceStatus(row, bySource.get(row.name) ?? [], config));
}

function tableStatus(
  row: TableRow,
  lag: ReadonlyMap<string, { lag: number; committed: number }>,
  readings: Readings,
  rates: Rates,
  seen: Set<string>,
): TableStatus {
  const { database, table } = warehouseTableOf(row);
  const warehouseTable = `${database}.${table}`;
  const figures = readings.warehouse.tables.get(warehouseTable);
  const progress = lag.get(row.topic);
  const rate = (kind: string, count: number): number | null => {
    const name = `${kind}:${row.topic}`;
    seen.add(name);
    return rates.observe(name, count, readings.tick);
  };
  const applied = progress ? rate('log', progress.committed) : null;
  const laid = row.state === 'snapshotting' ? rate(`snapshot${row.generation}`, row.snapshotRows) : null;
  return {
    schema: row.schema,
    table: row.table,
    warehouseTable,
    state: row.state,
    error: row.error,
    rows: figures?.rows ?? (readings.warehouse.error === null && row.state === 'streaming' ? 0 : null),
    rowsKind: figures
      ? figures.exact
        ? 'exact'
        : 'approximate'
      : readings.warehouse.error === null && row.state === 'streaming'
        ? 'exact'
        : 'unknown',
    bytes: figures?.bytes ?? null,
    snapshotProgress: row.state === 'snapshotting' ? progressOf(row) : null,
    snapshotRows: row.snapshotRows,
    estimatedRows: row.estimatedRows,
    freshnessMs: row.watermark && row.state === 'streaming' ? age(row.watermark, readings.now) : null,
    lagEvents: progress?.lag ?? (readings.lag === null ? null : 0),
    rowsPerSecond: applied === null && laid === null ? null : (applied ?? 0) + (laid ?? 0),
    generation: row.generation,
    version: row.version,
    deadLetters: row.deadLetters,
    verification: row.verification,
  };
}

function progressOf(row: TableRow): number | null {
  if (row.estimatedRows <= 0) return null;
  return Math.min(0.99, row.snapshotRows / row.estimatedRows);
}

const age = (since: Date, now: number): number => Math.max(0, now - since.getTime());

function sourceStatus(row: SourceRow, tables: TableStatus[], config: Config): SourceStatus {
  return {
    name: row.name,
    kind: row.kind,
    engine: row.engine,
    url: row.url,
    desired: row.desired,
    state: stateOf(row, tables),
    error: row.error,
    slot: row.slot,
    lagBytes: row.lagBytes,
    lagAlarm: alarmOf(row, config),
    confirmedLsn: row.confirmedLsn,
    committedAt: row.committedAt?.toISOString() ?? null,
    freshnessMs: most(tables.map((table) => table.freshnessMs)),
    rowsPerSecond: sum(tables.map((table) => table.rowsPerSecond)),
    deadLetters: sum(tables.map((table) => table.deadLetters)) ?? 0,
    tables,
  };
}

const AT_WORK: ReadonlySet<string> = new Set(['pending', 'snapshotting']);

/** A source reports once a second, its tables at once: it does not snapshot any more when none of them does. */
function stateOf({ state }: SourceRow, tables: readonly TableStatus[]): string {
  const atWork = tables.length === 0 || tables.some((table) => AT_WORK.has(table.state));
  return state === 'snapshotting' && !atWork ? 'streaming' : state;
}

function alarmOf({ alarm, lagBytes }: SourceRow, { capture }: Config): LagAlarm {
  if (alarm !== null && alarm !== 'none') return alarm;
  if (lagBytes === null) return alarm === 'none' ? 'ok' : 'unknown';
  if (lagBytes >= capture.lagAlarmBytes) return 'alarm';
  return lagBytes >= capture.lagWarnBytes ? 'warn' : 'ok';
}

export function assembleRoles(rows: readonly RoleRow[]): RoleStatus[] {
  return rows.map(({ role, instance, data, ageMs }) => ({
    role,
    instance,
    state: ageMs > SILENT_MS ? 'silent' : (data.state ?? 'up'),
    ageMs: Math.max(0, Math.round(ageMs)),
    pid: data.pid ?? null,
    rssBytes: data.rssBytes ?? null,
    cpuPercent: data.cpuCores === undefined ? null : data.cpuCores * 100,
    restarts: data.restarts ?? null,
  }));
}

/** One process keeps the roll-ups; the others say that they wait. */
export const assembleRollups = (rows: readonly RoleRow[]): RollupLine[] =>
  rows
    .filter(({ ageMs }) => ageMs <= SILENT_MS)
    .flatMap(({ data }) => data.semantic?.kept ?? [])
    .filter(({ state }) => state !== 'waiting');

const NEXT = 'Run `bac model check`: it names file and line.';

/** What api processes say of the model; the same of several is one line. */
export function assembleModel(rows: readonly RoleRow[]): ModelLine[] {
  const lines = rows
    .filter(({ ageMs }) => ageMs <= SILENT_MS)
    .flatMap(({ data: { semantic } }): ModelLine[] => {
      const failed = (semantic?.models ?? []).flatMap(({ state, error }) =>
        state === 'failed' && error !== null ? [{ message: error, next: NEXT }] : [],
      );
      return [
        ...(semantic?.folder ? [semantic.folder] : []),
        ...failed.map((problem) => ({
          folder: null,
          state: 'failed',
          files: null,
          since: null,
          problems: [problem],
        })),
      ];
    });
  const told = new Map(lines.map((line) => [JSON.stringify({ ...line, since: null }), line]));
  return [...told.values()];
}

export const assembleApps = (rows: StateRows['apps']): AppStatus[] =>
  rows.map(({ origin: _, ...row }) => ({ ...row, appliedAt: row.appliedAt?.toISOString() ?? null }));

export function totalsOf(sources: readonly SourceStatus[]): Totals {
  const tables = sources.flatMap((source) => source.tables);
  const fresh = known(tables.map((table) => table.freshnessMs)).sort((a, b) => a - b);
  return {
    sources: sources.length,
    tables: tables.length,
    tablesFailed: tables.filter((table) => table.state === 'failed').length,
    rows: sum(tables.map((table) => table.rows)),
    rowsPerSecond: sum(tables.map((table) => table.rowsPerSecond)),
    freshnessP50Ms: fresh[Math.floor((fresh.length - 1) / 2)] ?? null,
    freshnessMaxMs: fresh.at(-1) ?? null,
    lagEvents: sum(tables.map((table) => table.lagEvents)),
    deadLetters: sum(tables.map((table) => table.deadLetters)) ?? 0,
  };
}

const known = (values: readonly (number | null)[]): number[] => values.filter((value) => value !== null);
const most = (values: readonly (number | null)[]): number | null => {
  const all = known(values);
  return all.length === 0 ? null : Math.max(...all);
};
const sum = (values: readonly (number | null)[]): number | null => {
  const all = known(values);
  return all.length === 0 ? null : all.reduce((total, value) => total + value, 0);
};
