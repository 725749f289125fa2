import {
  type Column,
  chIdent,
  chLiteral,
  chTable,
  HubError,
  type Logger,
  type Registry,
  type SnapshotTarget,
  type TableSchema,
  type Warehouse,
  warehouseTableOf,
} from '#kernel';
import {
  asideName,
  createDatabase,
  createHistory,
  createTable,
  evolve,
  historyName,
  readTable,
  SYSTEM_COLUMNS,
  warehouseColumn,
} from '../tables/index.ts';
import { fieldReader, NULL_ARRAY } from '../types/index.ts';

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
    const rows = await warehouse.query<{ name: string }>(
      'SELECT name FROM system.tables WHERE database = {database:String} AND match(name, {pattern:String})',
      { params: { database, pattern: `^${table.replace(/[^A-Za-z0-9_]/g, '\\$&')}__g[0-9]+$` } },
    );
    return rows.map((row) => row.name);
  };

  return {
    async begin(schema, generation, resume) {
      const { database, table } = warehouseTableOf(schema);
      const aside = asideName(table, generation);
      await warehouse.command(createDatabase(database));
      for (const name of await asides(database, table)) {
        if (name === aside ? !resume : generationOf(name) < generation)
          await dropTable(warehouse, database, name);
      }
      await warehouse.command(createTable(schema, generation, aside));
      const applied = await readTable(warehouse, database, aside);
      if (applied !== null && applied.version !== schema.version) await evolve(warehouse, applied, schema);
    },

    async load(schema, generation, rows, signal) {
      const { database, table } = warehouseTableOf(schema);
      await warehouse.insert(
        loadStatement(schema, chTable(database, asideName(table, generation))),
        'TabSeparated',
        rows,
        { settings: LOAD_SETTINGS, ...(signal === undefined ? {} : { signal }) },
      );
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
        await takePlace(warehouse, database, table, aside);
        logger.info({ table: `${database}.${table}`, generation }, 'snapshot is live');
      } else if (live === null || live.generation < generation) {
        throw new HubError(
          'SNAPSHOT_MISSING',
          `Nothing is built for ${database}.${table}, generation ${generation}.`,
          {
            next: 'Take the snapshot again.',
          },
        );
      }
      if ((options.history ?? []).includes(`${schema.source}.${schema.schema}.${schema.table}`)) {
        await startHistory(warehouse, schema, generation);
      }
      for (const name of await asides(database, table)) {
        if (generationOf(name) <= generation) await dropTable(warehouse, database, name);
      }
    },

    async drop(id) {
      const { database, table } = warehouseTableOf(id);
      for (const name of [table, historyName(table), ...(await asides(database, table))]) {
        await dropTable(warehouse, database, name);
      }
    },
  };
}

const generationOf = (aside: string): number => Number(/__g(\d+)$/.exec(aside)?.[1]);

const dropTable = (warehouse: Warehouse, database: string, table: string): Promise<void> =>
  warehouse.command(`DROP TABLE IF EXISTS ${chTable(database, table)} SYNC`);

/**
 * RENAME fails if the live name is taken, EXCHANGE if it is free; whichever fits. A table of that name
 * that is not the hub's is left alone.
 */
async function takePlace(
  warehouse: Warehouse,
  database: string,
  table: string,
  aside: string,
): Promise<void> {
  const [live, built] = [chTable(database, table), chTable(database, aside)];
  const found = await warehouse.query<{ comment: string }>(
    'SELECT comment FROM system.tables WHERE database = {database:String} AND name = {table:String}',
    { params: { database, table } },
  );
  if (found.length === 0) return warehouse.command(`RENAME TABLE ${built} TO ${live}`);
  if ((await readTable(warehouse, database, table)) === null) {
    throw new HubError('TABLE_NOT_OURS', `Table ${live} exists in ClickHouse and was not made by the hub.`, {
      next: 'Rename or drop it, or connect the source under another name.',
      disposition: 'user',
    });
  }
  return warehouse.command(`EXCHANGE TABLES ${live} AND ${built}`);
}

/** Snapshot rows are the first versions in the history; idempotent by key and version. */
async function startHistory(warehouse: Warehouse, schema: TableSchema, generation: number): Promise<void> {
  const { database, table } = warehouseTableOf(schema);
  await warehouse.command(createHistory(schema, generation));
  const names = [...schema.columns.map((column) => chIdent(warehouseColumn(column.name))), ...SYSTEM_COLUMNS];
  await warehouse.command(
    `INSERT INTO ${chTable(database, historyName(table))} (${names.join(', ')}) SELECT ${names.join(', ')} FROM ${chTable(database, table)}`,
  );
}

/** Direct when ClickHouse reads every field natively, else through input() with an expression per column. */
export function loadStatement(schema: TableSchema, target: string): string {
  const names = [...schema.columns.map((column) => chIdent(warehouseColumn(column.name))), '_raw'].join(', ');
  const readers = schema.columns.map(fieldReader);
  if (readers.every((reader) => reader.convert === null)) return `INSERT INTO ${target} (${names})`;
  const structure = [...readers.map((reader, i) => `c${i} ${reader.readAs}`), 'raw Map(String, String)'];
  const values = readers.map((reader, i) => (reader.convert === null ? `c${i}` : reader.convert(`c${i}`)));
  return `INSERT INTO ${target} (${names}) SELECT ${[...values, rawOf(schema.columns)].join(', ')} FROM input(${chLiteral(structure.join(', '))})`;
}

/** A NULL array is told from an empty one by `_raw`. */
function rawOf(columns: readonly Column[]): string {
  const nulls = columns.flatMap((column, i) =>
    column.type.kind === 'array' && column.nullable
      ? [`if(isNull(c${i}), map(${chLiteral(column.name)}, '${NULL_ARRAY}'), ${NO_RAW})`]
      : [],
  );
  return nulls.length === 0 ? 'raw' : `mapConcat(raw, ${nulls.join(', ')})`;
}

const NO_RAW = "CAST(map(), 'Map(String, String)')";
