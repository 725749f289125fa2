import { chIdent, chLiteral, chTable } from '#kernel';
import { bucketOf, MARK, OUT_OF_RANGE } from './buckets.ts';
import type { Definition } from './definition.ts';

/** Database of all that belongs to roll-ups. */
export const ROLLUP_DATABASE = 'bac_rollups';
/** Which build of a roll-up is in use: one row for each that has been, the one of the greatest run counts. */
export const BUILDS = chTable(ROLLUP_DATABASE, 'builds');

/** A whole build of a roll-up, and what it stands on. */
export interface Build {
  readonly rollup: string;
  readonly hash: string;
  readonly run: string;
  /** Names its tables. */
  readonly prefix: string;
  /** Of each table, the base first: as it was when the build began. */
  readonly tables: readonly TableMark[];
}

export interface TableMark {
  readonly database: string;
  readonly table: string;
  readonly uuid: string;
  /** Snapshot generation that its rows carry; 0 also: it was empty. */
  readonly generation: number;
  /** Number of the last block (insert) that is covered. Grows with each block of a table on one server. */
  readonly block: string;
}

/** What a build covers now. */
export interface Covered {
  /** Refreshes up to this one count. */
  readonly run: string;
  /** Blocks of the base up to this one are in it. */
  readonly block: string;
  readonly at: string;
}

export const dataTable = (prefix: string): string => chTable(ROLLUP_DATABASE, `${prefix}__data`);
/** Each primary key with each bucket it was ever seen in: where a row that changes may have been counted. */
export const keysTable = (prefix: string): string => chTable(ROLLUP_DATABASE, `${prefix}__keys`);
/** Which refresh computed a bucket: one insert for each refresh, which is its commit. */
export const logTable = (prefix: string): string => chTable(ROLLUP_DATABASE, `${prefix}__log`);

/** An insert that was acknowledged outlives the machine's power. */
const DURABLE = 'fsync_after_insert = 1, fsync_part_directory = 1';

export const SETUP = [
  `CREATE DATABASE IF NOT EXISTS ${chIdent(ROLLUP_DATABASE)}`,
  `CREATE TABLE IF NOT EXISTS ${BUILDS} (rollup String, hash String, run UInt64, prefix String, tables String,
     at DateTime64(3, 'UTC') DEFAULT now64(3)) ENGINE = MergeTree ORDER BY (rollup, run) SETTINGS ${DURABLE}`,
];

const keyOf = ({ base }: Definition): string => base.schema.key.map(chIdent).join(', ');
const baseName = ({ base }: Definition): string => chTable(base.database, base.table);
export const bucketOfRow = ({ unit, timeColumn }: Definition): string => bucketOf(chIdent(timeColumn), unit);
const columnList = ({ columns }: Definition): string => columns.map(chIdent).join(', ');

/** Rows stored in blocks after `block`; parts that end before it are not read. */
export const storedAfter = (block: string): string =>
  `toUInt64OrZero(splitByChar('_', _part)[3]) > ${block} AND _block_number > ${block}`;

/** A table's blocks after `block`, without reading a row. */
export const partsAfter = (block: string): string => `toUInt64OrZero(splitByChar('_', _part)[3]) > ${block}`;

/** The tables of a new build, empty. `load` gives the columns. */
export function createTables(definition: Definition, prefix: string, load: string): string[] {
  const rows = `SELECT ${columnList(definition)}, toInt32(0) AS __bucket, toUInt64(0) AS __run FROM (${load})`;
  const keys = `SELECT ${keyOf(definition)}, toInt32(0) AS __bucket FROM ${baseName(definition)}`;
  return [
    `CREATE TABLE ${dataTable(prefix)} ENGINE = MergeTree ORDER BY (__bucket, __run) SETTINGS ${DURABLE} EMPTY AS ${rows}`,
    `CREATE TABLE ${keysTable(prefix)} ENGINE = ReplacingMergeTree ORDER BY (${keyOf(definition)}, __bucket) SETTINGS ${DURABLE} EMPTY AS ${keys}`,
    // Keys that grow with time lie beside others of their buckets: few of their rows are read to find a bucket's.
    `ALTER TABLE ${keysTable(prefix)} ADD INDEX by_bucket __bucket TYPE minmax GRANULARITY 1`,
    `CREATE TABLE ${logTable(prefix)} (bucket Int32, run UInt64, block UInt64, at DateTime64(3, 'UTC') DEFAULT now64(3))
       ENGINE = MergeTree ORDER BY (bucket, run) SETTINGS ${DURABLE}`,
  ];
}

export const dropTables = (prefix: string): string[] =>
  [dataTable, keysTable, logTable].map((name) => `DROP TABLE IF EXISTS ${name(prefix)} SYNC`);

/** Where the rows stored after `block` are. */
export const insertKeys = (definition: Definition, prefix: string, block: string): string =>
  `INSERT INTO ${keysTable(prefix)} SELECT ${keyOf(definition)}, ${bucketOfRow(definition)} AS __bucket
   FROM ${baseName(definition)} WHERE ${block === '0' ? '1' : storedAfter(block)}`;

/** `load`: the load statement over the rows that are to be counted. */
export const insertRows = (definition: Definition, prefix: string, load: string, run: string): string =>
  `INSERT INTO ${dataTable(prefix)} SELECT ${columnList(definition)}, ${bucketOf(chIdent(definition.timeAlias), definition.unit)} AS __bucket, toUInt64(${run}) AS __run FROM (${load})`;

/**
 * One block, hence one part: it is there as a whole or not at all. Nothing if a later refresh is there already: whoever
 * made that has taken the roll-up over.
 */
export const insertLog = (prefix: string, run: string, block: string, buckets: readonly number[]): string =>
  `INSERT INTO ${logTable(prefix)} (bucket, run, block)
   SELECT arrayJoin([${[MARK, ...buckets].join(', ')}]), ${run}, ${block}
   WHERE (SELECT max(run) FROM ${logTable(prefix)}) < ${run}`;

/**
 * Buckets of all rows that were stored after `block`: where they are and where they were. A scalar: evaluated once in
 * a statement, over the same state of the base as all else in it.
 */
export const touched = (definition: Definition, prefix: string, block: string): string =>
  `(SELECT groupUniqArray(__bucket) FROM (
     SELECT ${bucketOfRow(definition)} AS __bucket FROM ${baseName(definition)} WHERE ${storedAfter(block)}
     UNION ALL
     SELECT __bucket FROM ${keysTable(prefix)} WHERE (${keyOf(definition)}) IN
       (SELECT ${keyOf(definition)} FROM ${baseName(definition)} WHERE ${storedAfter(block)})))`;

/**
 * The least and the greatest key of these buckets' rows, a pair: of a table ordered by a key that grows with time, few
 * rows lie between. `buckets`: an array. `block`: rows stored after it are in no table of keys yet.
 */
export function keyRange(
  definition: Definition,
  prefix: string,
  buckets: string,
  block: string | null,
): string {
  const key = firstKey(definition);
  const recent =
    block === null
      ? ''
      : ` UNION ALL SELECT ${key} AS k FROM ${baseName(definition)} WHERE ${storedAfter(block)}`;
  return `(SELECT (min(k), max(k)) FROM (SELECT ${key} AS k FROM ${keysTable(prefix)} WHERE __bucket IN (SELECT arrayJoin(${buckets}))${recent}))`;
}

const firstKey = ({ base }: Definition): string => chIdent(base.schema.key[0]!);

export const within = (definition: Definition, range: string): string =>
  `${firstKey(definition)} >= tupleElement(${range}, 1) AND ${firstKey(definition)} <= tupleElement(${range}, 2)`;

export const MOVED = 'ROLLUP_MOVED';

/** Says 0 while the rows of a table are of the snapshot that the build has seen. */
const otherGeneration = ({ database, table, generation }: TableMark): string =>
  `SELECT toUInt64(g NOT IN (0, ${generation})) FROM (SELECT bitShiftRight(_version, 52) AS g FROM ${chTable(database, table)} LIMIT 1)`;

/** Says 0 while nothing was stored in it since. */
const stored = ({ database, table }: Pick<TableMark, 'database' | 'table'>, block: string): string =>
  `SELECT count() FROM ${chTable(database, table)} WHERE ${partsAfter(block)}`;

/**
 * False or an error (MOVED) unless the tables are those of the build, only the base has changed, and `more` says 0. A
 * scalar of its own: as a condition on rows it would not be looked at where the roll-up has none that are asked for.
 * One and not several, of which each takes ClickHouse its time.
 */
function unmoved({ tables }: Build, more: string): string {
  const [base, ...joined] = tables;
  if (!base) return '0';
  const moved = [...tables.map(otherGeneration), ...joined.map((mark) => stored(mark, mark.block)), more];
  return `(SELECT throwIf(sum(moved) > 0, ${chLiteral(MOVED)}) FROM (SELECT 0 AS moved UNION ALL ${moved.join(' UNION ALL ')})) = 0`;
}

/** Named once in a statement: ClickHouse takes its time over each place where it is written out. */
const TOUCHED = '__bac_touched';
const RANGE = '__bac_range';

/** Rows of a roll-up with their times told in a zone. */
export function inZone({ timeAlias }: Definition, table: string, zone: string): string {
  if (zone === 'UTC') return table;
  const time = chIdent(timeAlias);
  return `(SELECT * REPLACE (toTimeZone(${time}, ${chLiteral(zone)}) AS ${time}) FROM ${table})`;
}

/** What stands in a statement over a roll-up. */
interface Parts {
  /** The question, given what stands in the place of the roll-up's table. */
  readonly question: (table: string) => string;
  /** The load statement, given the rows of the base to read. */
  readonly load: (rows: string) => string;
  /** Rows of the roll-up that may be seen; may be empty. */
  readonly filter: string;
}

/** Rows of each bucket as the refreshes up to the one that counts have left them. */
const present = ({ prefix }: Build, { run }: Covered): string =>
  `(__bucket, __run) IN (SELECT bucket, max(run) FROM ${logTable(prefix)} WHERE run <= ${run} AND bucket != ${MARK} GROUP BY bucket)`;

const both = (conditions: readonly string[]): string => conditions.filter((one) => one !== '').join(' AND ');

/**
 * A question over a roll-up as one statement: buckets in which nothing has changed since it was refreshed, from the
 * roll-up; all others computed now.
 */
export function merged(
  definition: Definition,
  build: Build,
  covered: Covered,
  { question, load, filter }: Parts,
): string {
  const sealed = both([
    unmoved(build, `SELECT toUInt64(has(${TOUCHED}, ${OUT_OF_RANGE}))`),
    present(build, covered),
    `NOT has(${TOUCHED}, __bucket)`,
    filter && `(${filter})`,
  ]);
  // Where nothing was touched, the range is that of no key, and next to nothing is read.
  const rows = `${within(definition, RANGE)} AND has(${TOUCHED}, ${bucketOfRow(definition)})`;
  const table = `(SELECT ${columnList(definition)} FROM ${dataTable(build.prefix)} WHERE ${sealed}
   UNION ALL SELECT ${columnList(definition)} FROM (${load(rows)}))`;
  return `WITH ${touched(definition, build.prefix, covered.block)} AS ${TOUCHED},
   ${keyRange(definition, build.prefix, TOUCHED, covered.block)} AS ${RANGE}
   ${question(table)}`;
}

/**
 * The same while no row of the base has been stored since the refresh, at half the price; else it fails (MOVED).
 */
export function untouched(
  definition: Definition,
  build: Build,
  covered: Covered,
  { question, filter }: Omit<Parts, 'load'>,
): string {
  const sealed = both([
    unmoved(build, stored(definition.base, covered.block)),
    present(build, covered),
    filter && `(${filter})`,
  ]);
  return question(`(SELECT ${columnList(definition)} FROM ${dataTable(build.prefix)} WHERE ${sealed})`);
}
