import type { Readable } from 'node:stream';
import pg from 'pg';
import {
  type ChangeLog,
  configSchema,
  createRegistry,
  type Logger,
  migrateState,
  type Registry,
  type SnapshotTarget,
  silentLogger,
  type TableSchema,
  tableKey,
  topicOf,
  UNAVAILABLE,
} from '#kernel';
import { eventually } from '#tests/eventually';
import { testLog } from '#tests/log';
import { type TestPostgres, testPostgres } from '#tests/postgres';
import { createCapture } from './capture.ts';
import type { Capture, CaptureOptions } from './types.ts';

/** Text of each column by name, as the source prints it. */
export type Row = Record<string, string | null>;

/** Where snapshots go in these tests: the port kept in memory, rows by generation. */
export class MemoryTarget implements SnapshotTarget {
  readonly live = new Map<string, { generation: number; schema: TableSchema; rows: Row[] }>();
  readonly #aside = new Map<string, Row[]>();
  readonly dropped: string[] = [];
  /** Awaited before each chunk is loaded. */
  gate: (schema: TableSchema) => Promise<void> = async () => undefined;

  async begin(schema: TableSchema, generation: number, resume: boolean): Promise<void> {
    const key = `${tableKey(schema)}#${generation}`;
    if (!resume || !this.#aside.has(key)) this.#aside.set(key, []);
  }

  async load(schema: TableSchema, generation: number, rows: Readable): Promise<void> {
    await this.gate(schema);
    const chunks: Buffer[] = [];
    for await (const chunk of rows) chunks.push(chunk as Buffer);
    const into = this.#aside.get(`${tableKey(schema)}#${generation}`)!;
    for (const line of Buffer.concat(chunks).toString().split('\n')) {
      if (line === '') continue;
      const fields = line.split('\t');
      into.push(
        Object.fromEntries(
          schema.columns.map(({ name, type }, index) => [name, copyText(fields[index]!, type.kind)]),
        ),
      );
    }
  }

  async finish(schema: TableSchema, generation: number): Promise<void> {
    const rows = this.#aside.get(`${tableKey(schema)}#${generation}`);
    if (rows) this.live.set(tableKey(schema), { generation, schema, rows });
  }

  async drop(table: Pick<TableSchema, 'source' | 'schema' | 'table'>): Promise<void> {
    this.dropped.push(tableKey(table));
    this.live.delete(tableKey(table));
  }
}

function copyText(field: string, kind: string): string | null {
  if (field === '\\N') return null;
  const text = field.replace(
    /\\(.)/g,
    (_, escaped: string) => ({ t: '\t', n: '\n', r: '\r' })[escaped] ?? escaped,
  );
  if (kind === 'bool') return text === 't' ? 'true' : 'false';
  return text;
}

export interface World extends AsyncDisposable {
  readonly server: TestPostgres;
  readonly pool: pg.Pool;
  /** A session at the source, with what the applications do. */
  readonly app: pg.Client;
  readonly log: ChangeLog;
  readonly registry: Registry;
  readonly target: MemoryTarget;
  capture(options?: Partial<CaptureOptions>): Capture;
  readonly captures: readonly Capture[];
  url(database: string): string;
}

/** A real PostgreSQL with the hub's state in database `bac` and an application database `shop`. */
export async function world(
  settings: Record<string, string> = {},
  logger: Logger = silentLogger(),
): Promise<World> {
  const server = await testPostgres(settings);
  const pool = new pg.Pool({ connectionString: server.url, max: 8 });
  pool.on('error', () => undefined);
  await migrateState(pool);
  await pool.query('CREATE DATABASE shop');
  const url = (database: string): string => server.url.replace(/\/bac$/, `/${database}`);
  const app = new pg.Client({ connectionString: url('shop') });
  app.on('error', () => undefined);
  await app.connect();
  const { log, stop } = await testLog();
  const registry = createRegistry(pool);
  const target = new MemoryTarget();
  const captures: Capture[] = [];
  return {
    server,
    pool,
    app,
    log,
    registry,
    target,
    url,
    captures,
    capture(options = {}) {
      const capture = createCapture({
        pool,
        log,
        registry,
        target,
        logger,
        config: configSchema.parse({}).capture,
        partitions: 2,
        instance: 'test',
        ...options,
      });
      captures.push(capture);
      return capture;
    },
    async [Symbol.asyncDispose]() {
      for (const capture of captures) await capture.stop();
      await app.end().catch(() => undefined);
      await pool.end();
      await stop();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Waits until the table's snapshot is finished and its changes flow. */
export async function streams(
  { registry }: Pick<World, 'registry'>,
  table: string,
  source = 'shop',
): Promise<void> {
  await eventually(
    async () => {
      const entry = await registry.table({ source, schema: 'public', table });
      return entry?.state === 'streaming' ? true : undefined;
    },
    60_000,
    () => `${table} does not stream`,
  );
}

/** Waits until the warehouse side, folded from snapshot and events, equals the source table. */
export async function converges(
  at: Pick<World, 'log' | 'target'>,
  app: pg.Client,
  table: string,
  key: readonly string[],
  { source = 'shop', timeoutMs = 60_000 } = {},
): Promise<void> {
  let last = '';
  await eventually(
    async () => {
      const expected = await sourceTable(app, table, key);
      const found = await foldTable(at, source, table);
      last = difference(expected, found);
      return last === '' ? true : undefined;
    },
    timeoutMs,
    () => `${table}: ${last}`,
  );
}

function difference(expected: Map<string, Row>, found: Map<string, Row>): string {
  for (const [key, row] of expected) {
    const other = found.get(key);
    if (!other) return `row ${key} is missing (${expected.size} expected, ${found.size} found)`;
    for (const [name, value] of Object.entries(row)) {
      if (other[name] !== value)
        return `row ${key}.${name}: ${value?.slice(0, 80)} became ${other[name]?.slice(0, 80)}`;
    }
  }
  for (const key of found.keys()) if (!expected.has(key)) return `row ${key} is too many`;
  return '';
}

export interface Event {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: {
    readonly op: string;
    readonly before: Record<string, unknown> | null;
    readonly after: Record<string, unknown> | null;
    readonly source: Record<string, unknown> & {
      readonly lsn: number;
      readonly gen: number;
      readonly sv: number;
    };
    readonly ts_ms: number;
  };
}

/** All events of a table's topic, by partition in order. */
export async function eventsOf(
  log: ChangeLog,
  source: string,
  table: string,
  schema = 'public',
): Promise<Event[]> {
  const topic = topicOf({ source, schema, table });
  const events: Event[] = [];
  const info = (await log.topics(topic)).find((candidate) => candidate.topic === topic);
  for (const partition of (info?.extents ?? []).keys()) {
    for (let at = info!.extents[partition]!.start; ; ) {
      const records = await log.read(topic, partition, at, 5000);
      if (records.length === 0) break;
      for (const { offset, key, value } of records) {
        events.push({
          partition,
          offset,
          key: key?.toString() ?? null,
          value: JSON.parse(value!.toString()),
        });
      }
      at = records.at(-1)!.offset + 1;
    }
  }
  return events;
}

/**
 * The table as a sink would have it: snapshot rows, overridden per key by the newest event of the
 * snapshot's generation; text by column, keyed by the key's JSON.
 */
export async function foldTable(
  { log, target }: Pick<World, 'log' | 'target'>,
  source: string,
  table: string,
): Promise<Map<string, Row>> {
  const live = target.live.get(`public.${table}`);
  const folded = new Map<string, { lsn: number; row: Row | null }>();
  if (live) {
    for (const row of live.rows) {
      folded.set(keyOf(live.schema, row), { lsn: 0, row });
    }
  }
  // Row that the delete just before removed: what a change of its key leaves out is taken from it.
  let last: Row | null = null;
  for (const { key, value } of await eventsOf(log, source, table)) {
    if (!live || value.source.gen !== live.generation) continue;
    const { lsn } = value.source;
    if (value.op === 't') {
      for (const [known, state] of folded) if (state.lsn <= lsn) folded.set(known, { lsn, row: null });
      continue;
    }
    const text = normalKey(key!);
    const known = folded.get(text);
    if (known && known.lsn > lsn) continue;
    if (value.op === 'd') last = known?.row ?? null;
    folded.set(text, { lsn, row: value.op === 'd' ? null : filled(value.after!, known?.row ?? last) });
  }
  return new Map([...folded].flatMap(([key, { row }]) => (row ? [[key, row]] : [])));
}

/** The same of the source itself. */
export async function sourceTable(
  client: pg.Client,
  table: string,
  key: readonly string[],
): Promise<Map<string, Row>> {
  const { rows, fields } = await client.query<Record<string, unknown>>({
    text: `SELECT * FROM ${table}`,
    types: { getTypeParser: () => (value: string) => value } as unknown as pg.CustomTypesConfig,
  });
  const bools = new Set(fields.filter(({ dataTypeID }) => dataTypeID === 16).map(({ name }) => name));
  return new Map(
    rows.map((raw) => {
      const row = Object.fromEntries(
        Object.entries(raw as Row).map(([name, value]) => [
          name,
          bools.has(name) && value !== null ? String(value === 't') : value,
        ]),
      );
      return [JSON.stringify(key.map((name) => row[name])), row];
    }),
  );
}

/** What the event marks as unchanged comes from the row before it. */
function filled(image: Record<string, unknown>, before: Row | null): Row {
  const row = texts(image);
  for (const [name, value] of Object.entries(row)) {
    if (value === UNAVAILABLE) row[name] = before?.[name] ?? 'nothing to take an unchanged value from';
  }
  return row;
}

const texts = (image: Record<string, unknown>): Row =>
  Object.fromEntries(
    Object.entries(image).map(([name, value]) => [name, value === null ? null : String(value)]),
  );

const keyOf = (schema: TableSchema, row: Row): string => JSON.stringify(schema.key.map((name) => row[name]));

const normalKey = (json: string): string => JSON.stringify(Object.values(texts(JSON.parse(json))));
