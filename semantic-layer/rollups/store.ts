import type { Warehouse, WarehouseTable } from '#kernel';
import { chTable } from '#kernel';
import { MARK } from './buckets.ts';
import {
  BUILDS,
  type Build,
  type Covered,
  logTable,
  ROLLUP_DATABASE,
  SETUP,
  type TableMark,
} from './tables.ts';

/** Reads and writes what is said of roll-ups in ClickHouse; their rows say nothing by themselves. */

export async function setUp(warehouse: Warehouse): Promise<void> {
  for (const sql of SETUP) await warehouse.command(sql);
}

/**
 * Why this server cannot keep roll-ups, or null: inserts must be numbered row by row, and a statement must see one
 * state of a table however often it names it.
 */
export async function unsupported(warehouse: Warehouse): Promise<string | null> {
  if (warehouse.cluster) return 'roll-ups need a single ClickHouse server; this one is a cluster';
  const found = await warehouse.query<{ name: string; value: string }>(
    `SELECT name, value FROM system.settings WHERE name = 'enable_shared_storage_snapshot_in_query'
     UNION ALL SELECT name, value FROM system.merge_tree_settings WHERE name = 'enable_block_number_column'`,
  );
  return found.length === 2 ? null : 'roll-ups need ClickHouse 25.8 or later';
}

interface BuildRow {
  readonly rollup: string;
  readonly hash: string;
  readonly run: string;
  readonly prefix: string;
  readonly tables: string;
}

/** The build in use of each roll-up that has one. */
export async function readBuilds(warehouse: Warehouse): Promise<Map<string, Build>> {
  const [there] = await warehouse.query<{ there: number }>(`EXISTS TABLE ${BUILDS}`);
  if (Number(Object.values(there ?? {})[0]) === 0) return new Map();
  const rows = await warehouse.query<BuildRow>(
    `SELECT rollup, hash, toString(run) AS run, prefix, tables FROM ${BUILDS} ORDER BY builds.run DESC, prefix LIMIT 1 BY rollup`,
  );
  return new Map(
    rows
      .filter(({ prefix }) => prefix !== '')
      .map((row) => [row.rollup, { ...row, tables: JSON.parse(row.tables) as TableMark[] }]),
  );
}

/** Takes a build out of use: until another one is made, the roll-up answers nothing. */
export const takeOut = (warehouse: Warehouse, build: Build): Promise<void> =>
  insertBuild(warehouse, { ...build, prefix: '' }, '1');

/**
 * Puts a build in use, in one step. Nothing happens if a later one is there, or if its tables are not: whoever made the
 * one, or dropped the others as nobody's, has taken the roll-up over.
 */
export const writeBuild = (warehouse: Warehouse, build: Build): Promise<void> =>
  insertBuild(
    warehouse,
    build,
    `(SELECT max(run) FROM ${BUILDS} WHERE rollup = {rollup:String}) < {run:UInt64}
     AND (SELECT count() FROM system.tables WHERE database = 'bac_rollups' AND startsWith(name, {prefix:String} || '__')) = 3`,
  );

const insertBuild = (warehouse: Warehouse, build: Build, condition: string): Promise<void> =>
  warehouse.command(
    `INSERT INTO ${BUILDS} (rollup, hash, run, prefix, tables)
     SELECT {rollup:String}, {hash:String}, {run:UInt64}, {prefix:String}, {tables:String} WHERE ${condition}`,
    { params: { ...build, tables: JSON.stringify(build.tables) } },
  );

/** Prefixes of all tables there are, with the time of their youngest change. */
export async function prefixes(warehouse: Warehouse): Promise<{ prefix: string; ageSeconds: number }[]> {
  const rows = await warehouse.query<{ prefix: string; age: string }>(
    `SELECT replaceRegexpOne(name, '__(data|keys|log)$', '') AS prefix, min(dateDiff('second', metadata_modification_time, now())) AS age
     FROM system.tables WHERE database = {database:String} AND match(name, '__(data|keys|log)$') GROUP BY prefix`,
    { params: { database: ROLLUP_DATABASE } },
  );
  return rows.map(({ prefix, age }) => ({ prefix, ageSeconds: Number(age) }));
}

/** What a build covers: its last refresh that was finished. */
export async function readCovered(warehouse: Warehouse, prefix: string): Promise<Covered | null> {
  const [row] = await warehouse.query<Covered>(
    `SELECT toString(max(run)) AS run, toString(argMax(block, log.run)) AS block, toString(argMax(at, log.run)) AS at
     FROM ${logTable(prefix)} AS log WHERE bucket = ${MARK}`,
  );
  return row && row.run !== '0' ? row : null;
}

/** The tables as they are now. */
export async function readMarks(
  warehouse: Warehouse,
  tables: readonly WarehouseTable[],
): Promise<TableMark[] | null> {
  const marks: TableMark[] = [];
  for (const { database, table } of tables) {
    const [row] = await warehouse.query<{ uuid: string; generation: string; block: string }>(
      `SELECT (SELECT toString(uuid) FROM system.tables WHERE database = {database:String} AND name = {table:String}) AS uuid,
         (SELECT any(g) FROM (SELECT bitShiftRight(_version, 52) AS g FROM ${chTable(database, table)} LIMIT 1)) AS generation,
         (SELECT toString(max(max_block_number)) FROM system.parts WHERE active AND database = {database:String} AND table = {table:String}) AS block`,
      { params: { database, table } },
    );
    if (!row?.uuid) return null;
    marks.push({ database, table, uuid: row.uuid, generation: Number(row.generation), block: row.block });
  }
  return marks;
}
