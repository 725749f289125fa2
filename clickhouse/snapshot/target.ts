import {
  type Column,
  chIdent,
  chLiteral,
  chTable,
  HubError,
  type Logger,
  type Registry,
  type RowForm,
  type SnapshotTarget,
  type TableSchema,
  type Warehouse,
  warehouseTableOf,
} from '#kernel';
import {
  asideName,
  createAside,
  dropTable,
  ensureHistory,
  evolve,
  historyName,
  layoutOf,
  makeLive,
  onAll,
  readTable,
  SYSTEM_COLUMNS,
  shardsOf,
  warehouseColumn,
} from '../tables/index.ts';
import { fieldReader, NULL_ARRAY } from '../types/index.ts';
import { loadSharded } from './sharded.ts';

export interface SnapshotTargetOptions {
  readonly warehouse: Warehouse;
  readonly registry: Registry;
  readonly logger: Logger;
  /** Tables (`source.schema.table`) whose rows also start their history. */
  readonly history?: readonly string[];
}

/** Large blocks, parsed by several threads; nothing guessed about dates, floats read exactly. */
export const LOAD_SETTINGS = {
  async_insert: 0,
  // Keys do not repeat within a snapshot; merges and FINAL see to rows loaded twice.
  optimize_on_insert: 0,
  date_time_input_format: 'basic',
  precise_float_parsing: 1,
  input_format_parallel_parsing: 1,
  input_format_null_as_default: 1,
  max_insert_block_size: 1_048_576,
  min_insert_block_size_rows: 1_048_576,
  min_insert_block_size_bytes: 134_217_728,
} as const;

/**
 * The warehouse side of snapshots (kernel/ports/snapshot-target.ts). Rows go into `<table>__g<generation>`;
 * `finish` exchanges it with the live table and drops the old one. `finish` refuses a generation older
 * than the registry's (SNAPSHOT_STALE).
 */
export function createSnapshotTarget(options: SnapshotTargetOptions): SnapshotTarget {
  const { warehouse, registry, logger } = options;

  const asides = async (database: string, table: string): Promise<string[]> => {
    const names = new Set<string>();
    for (const server of await shardsOf(warehouse)) {
      const rows = await server.query<{ name: string }>(
        'SELECT name FROM system.tables WHERE database = {database:String} AND match(name, {pattern:String})',
        { params: { database, pattern: `^${table.replace(/[^A-Za-z0-9_]/g, '\\$&')}__g[0-9]+$` } },
      );
      for (const { name } of rows) names.add(name);
    }
    return [...names];
  };
  const drop = (database: string, table: string): Promise<void> =>
    onAll(warehouse, dropTable(database, table, layoutOf(warehouse)));

  return {
    async begin(schema, generation, resume) {
      const { database, table } = warehouseTableOf(schema);
      const aside = asideName(table, generation);
      const live = await readTable(warehouse, database, table);
      for (const name of await asides(database, table)) {
        if (name === live?.stored) continue;
        if (name === aside ? !resume : generationOf(name) < generation) await drop(database, name);
      }
      await createAside(warehouse, schema, generation);
      const applied = await readTable(warehouse, database, aside);
      if (applied !== null && applied.version !== schema.version) await evolve(warehouse, applied, schema);
    },

    async load(schema, generation, rows, form, signal) {
      const { database, table } = warehouseTableOf(schema);
      const aside = asideName(table, generation);
      const statement = loadStatement(schema, chTable(database, aside), form);
      const options = { settings: LOAD_SETTINGS, ...(signal === undefined ? {} : { signal }) };
      if (warehouse.cluster === undefined) {
        await warehouse.insert(statement, 'TabSeparated', rows, options);
        return;
      }
      const applied = await readTable(warehouse, database, aside);
      if (applied === null) throw missing(database, table, generation);
      await loadSharded(warehouse.cluster, applied, schema, statement, rows, options);
    },

    async finish(schema, generation) {
      const entry = await registry.table(schema);
      if (entry !== null && entry.generation > generation) {
        throw new HubError(
          'SNAPSHOT_STALE',
          `Snapshot ${generation} of ${schema.schema}.${schema.table} was overtaken by ${entry.generation}.`,
          { next: 'Nothing: the newer snapshot replaces it.' },
        );
      }
      const { database, table } = warehouseTableOf(schema);
      const aside = asideName(table, generation);
      const [live, built] = await Promise.all([
        readTable(warehouse, database, table),
        readTable(warehouse, database, aside),
      ]);
      if (built !== null && (live === null || live.generation < generation)) {
        await makeLive(warehouse, database, table, aside);
        logger.info({ table: `${database}.${table}`, generation }, 'snapshot is live');
      } else if (live === null || live.generation < generation) {
        throw missing(database, table, generation);
      }
      if ((options.history ?? []).includes(`${schema.source}.${schema.schema}.${schema.table}`)) {
        await startHistory(warehouse, schema, generation);
      }
      const now = await readTable(warehouse, database, table);
      for (const name of await asides(database, table)) {
        if (generationOf(name) <= generation && name !== now?.stored) await drop(database, name);
      }
    },

    async drop(id) {
      const { database, table } = warehouseTableOf(id);
      const stored = [layoutOf(warehouse).storedHistory(table), ...(await asides(database, table))];
      for (const name of new Set([table, historyName(table), ...stored])) await drop(database, name);
    },
  };
}

const generationOf = (aside: string): number => Number(/__g(\d+)$/.exec(aside)?.[1]);

const missing = (database: string, table: string, generation: number): HubError =>
  new HubError('SNAPSHOT_MISSING', `Nothing is built for ${database}.${table}, generation ${generation}.`, {
    next: 'Take the snapshot again.',
  });

/** Snapshot rows are the first versions in the history; idempotent by key and version. */
async function startHistory(warehouse: Warehouse, schema: TableSchema, generation: number): Promise<void> {
  const { database, table } = warehouseTableOf(schema);
  const history = await ensureHistory(warehouse, schema, generation);
  const live = await readTable(warehouse, database, table);
  if (history === null || live === null) throw missing(database, table, generation);
  const names = [...schema.columns.map((column) => chIdent(warehouseColumn(column.name))), ...SYSTEM_COLUMNS];
  const list = names.join(', ');
  for (const shard of (await shardsOf(warehouse)).slice(0, live.shards)) {
    await shard.command(
      `INSERT INTO ${chTable(database, history.stored)} (${list}) SELECT ${list} FROM ${chTable(database, live.stored)}`,
    );
  }
}

/** Direct when ClickHouse reads every field natively, else through input() with an expression per column. */
export function loadStatement(schema: TableSchema, target: string, form: RowForm): string {
  const given = form === 'with-raw';
  const names = schema.columns.map((column) => chIdent(warehouseColumn(column.name)));
  const readers = schema.columns.map(fieldReader);
  if (readers.every((reader) => reader.convert === null)) {
    return `INSERT INTO ${target} (${[...names, ...(given ? ['_raw'] : [])].join(', ')})`;
  }
  const structure = readers.map((reader, i) => `c${i} ${reader.readAs}`);
  const values = readers.map((reader, i) => (reader.convert === null ? `c${i}` : reader.convert(`c${i}`)));
  const raw = rawOf(schema.columns, given ? 'raw' : null);
  const fields = [...structure, ...(given ? ['raw Map(String, String)'] : [])].join(', ');
  const [into, from] =
    raw === null
      ? [names, values]
      : [
          [...names, '_raw'],
          [...values, raw],
        ];
  return `INSERT INTO ${target} (${into.join(', ')}) SELECT ${from.join(', ')} FROM input(${chLiteral(fields)})`;
}

/** A NULL array is told from an empty one by `_raw`. */
function rawOf(columns: readonly Column[], given: string | null): string | null {
  const nulls = columns.flatMap((column, i) =>
    column.type.kind === 'array' && column.nullable
      ? [`if(isNull(c${i}), map(${chLiteral(column.name)}, '${NULL_ARRAY}'), ${NO_RAW})`]
      : [],
  );
  if (nulls.length === 0) return given;
  return `mapConcat(${[given ?? NO_RAW, ...nulls].join(', ')})`;
}

const NO_RAW = "CAST(map(), 'Map(String, String)')";
