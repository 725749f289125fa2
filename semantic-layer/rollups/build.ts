import { chTable, HubError, type Warehouse } from '#kernel';
import { OUT_OF_RANGE } from './buckets.ts';
import { type Definition, loadAll } from './definition.ts';
import { readBuilds, readCovered, readMarks, writeBuild } from './store.ts';
import {
  type Build,
  bucketOfRow,
  type Covered,
  createTables,
  dataTable,
  dropTables,
  insertKeys,
  insertLog,
  insertRows,
  keyRange,
  keysTable,
  partsAfter,
  type TableMark,
  touched,
  within,
} from './tables.ts';

/** Groups and sets beyond this go to disk. */
const SPILL_BYTES = 256 * 1024 * 1024;
/** Of every statement that fills a roll-up: as questions run, in bounded memory, beside them. */
const SETTINGS = {
  join_use_nulls: 1,
  max_threads: 2,
  max_bytes_before_external_group_by: SPILL_BYTES,
  max_bytes_before_external_sort: SPILL_BYTES,
  max_memory_usage: 2 * 1024 * 1024 * 1024,
  max_execution_time: 3_600,
};
/** More buckets than these at once, or more rows stored since the last refresh: a new build costs less. */
const MOST_BUCKETS = 5_000;
const MOST_ROWS = 2_000_000;
/** Buckets of one roll-up. */
const MOST_BUCKETS_OF_ALL = 200_000;

export interface Work {
  readonly warehouse: Warehouse;
  readonly signal: AbortSignal;
  /** Ever greater, over all processes. */
  readonly nextRun: () => string;
  /** Runs the last step only while this process has the right to; throws otherwise. */
  readonly fenced: (step: () => Promise<void>) => Promise<void>;
}

/** Not kept, and why: nothing that will pass by itself. */
export class Refused extends Error {}

/**
 * Builds the roll-up aside and puts it in use in one step. Interrupted anywhere, it leaves the one before in use and
 * tables that nobody reads. Errors: Refused.
 */
export async function build(work: Work, definition: Definition): Promise<Build> {
  const { warehouse, signal } = work;
  const { base, joined, name, hash } = definition;
  const run = work.nextRun();
  const prefix = `${name.replace(/\W/g, '_').slice(0, 80)}_${hash}_${run}`;
  const command = (sql: string) => warehouse.command(sql, { settings: SETTINGS, signal });
  await numberRows(warehouse, definition);
  const tables = await readMarks(warehouse, [base, ...joined]);
  if (!tables)
    throw new HubError('ROLLUP_TABLE_GONE', `A table of ${name} is not there.`, { disposition: 'transient' });
  try {
    const { block } = tables[0]!;
    for (const sql of createTables(definition, prefix, loadAll(definition, '1'))) await command(sql);
    await refuseInexact(work, definition, prefix);
    await command(insertKeys(definition, prefix, '0'));
    const [outside] = await warehouse.query<{ rows: string }>(
      `SELECT count() AS rows FROM ${keysTable(prefix)} WHERE __bucket = ${OUT_OF_RANGE}`,
    );
    if (Number(outside!.rows) > 0) throw new Refused('its table has times before 1970 or after 2105');
    await command(insertRows(definition, prefix, loadAll(definition, upTo(block)), run));
    const buckets = await bucketsOf(warehouse, prefix);
    await command(insertLog(prefix, run, block, buckets));
    const made: Build = { rollup: name, hash, run, prefix, tables };
    await work.fenced(() => writeBuild(warehouse, made));
    if ((await readBuilds(warehouse)).get(name)?.run !== run) throw overtaken(name);
    return made;
  } catch (thrown) {
    for (const sql of dropTables(prefix)) await warehouse.command(sql).catch(() => {}); // swept later otherwise
    throw thrown;
  }
}

const upTo = (block: string): string => `_block_number <= ${block}`;

/** From now on, merges keep which insert each row came with. What was merged before counts as its first one. */
async function numberRows(warehouse: Warehouse, { base }: Definition): Promise<void> {
  const [table] = await warehouse.query<{ settings: string }>(
    'SELECT engine_full AS settings FROM system.tables WHERE database = {database:String} AND name = {table:String}',
    { params: { database: base.database, table: base.table } },
  );
  if (!/enable_block_number_column = (1|true)/.test(table?.settings ?? ''))
    await warehouse.command(
      `ALTER TABLE ${chTable(base.database, base.table)} MODIFY SETTING enable_block_number_column = 1`,
    );
}

async function refuseInexact({ warehouse }: Work, { sums }: Definition, prefix: string): Promise<void> {
  const columns = await warehouse.query<{ name: string; type: string }>(
    `DESCRIBE TABLE ${dataTable(prefix)}`,
  );
  const inexact = columns.find(({ name, type }) => sums.includes(name) && /Float/.test(type));
  if (inexact)
    throw new Refused(`the sum ${inexact.name} is of floating point, whose parts do not add up exactly`);
}

async function bucketsOf(warehouse: Warehouse, prefix: string): Promise<number[]> {
  const rows = await warehouse.query<{ bucket: number }>(
    `SELECT DISTINCT __bucket AS bucket FROM ${dataTable(prefix)} LIMIT ${MOST_BUCKETS_OF_ALL + 1}`,
  );
  if (rows.length > MOST_BUCKETS_OF_ALL)
    throw new Refused(
      `it has more than ${MOST_BUCKETS_OF_ALL} buckets; give it a coarser partition_granularity`,
    );
  return rows.map(({ bucket }) => bucket);
}

export type Refreshed = { readonly covered: Covered; readonly buckets: number } | 'rebuild';

/**
 * Computes anew the buckets in which rows have changed since the last refresh; 'rebuild' if that cannot be said of
 * buckets. The insert into the log is the commit: before it, nobody reads what was written.
 */
export async function refresh(work: Work, definition: Definition, build: Build): Promise<Refreshed> {
  const { warehouse, signal } = work;
  const { base, joined } = definition;
  const covered = await readCovered(warehouse, build.prefix);
  const now = await readMarks(warehouse, [base, ...joined]);
  if (!covered || !now || moved(build, now)) return 'rebuild';
  const { block } = now[0]!;
  if (BigInt(block) <= BigInt(covered.block)) return { covered, buckets: 0 };
  const settings = { settings: SETTINGS, signal };
  const [stored] = await warehouse.query<{ rows: string }>(
    `SELECT count() AS rows FROM ${chTable(base.database, base.table)} WHERE ${partsAfter(covered.block)} AND _block_number > ${covered.block}`,
    settings,
  );
  if (Number(stored!.rows) > MOST_ROWS) return 'rebuild';
  const [found] = await warehouse.query<{ buckets: number[] }>(
    `SELECT ${touched(definition, build.prefix, covered.block)} AS buckets`,
    settings,
  );
  const { buckets } = found!;
  if (buckets.includes(OUT_OF_RANGE) || buckets.length > MOST_BUCKETS) return 'rebuild';
  const run = work.nextRun();
  // Before the rows: whatever is counted below is found again by its key.
  await warehouse.command(insertKeys(definition, build.prefix, covered.block), settings);
  if (buckets.length > 0) {
    const list = buckets.join(', ');
    const near = within(definition, keyRange(definition, build.prefix, `[${list}]`, null));
    const rows = `${upTo(block)} AND ${near} AND ${bucketOfRow(definition)} IN (${list})`;
    await warehouse.command(insertRows(definition, build.prefix, loadAll(definition, rows), run), settings);
  }
  await work.fenced(() => warehouse.command(insertLog(build.prefix, run, block, buckets), { signal }));
  if ((await readCovered(warehouse, build.prefix))?.run !== run) throw overtaken(build.rollup);
  return { covered: { run, block, at: new Date().toISOString() }, buckets: buckets.length };
}

const overtaken = (name: string): HubError =>
  new HubError('ROLLUP_OVERTAKEN', `Another process has kept ${name} meanwhile.`, {
    disposition: 'transient',
  });

/** A table is another one, or rows of a joined one have changed: no bucket is known for them. */
export const moved = ({ tables }: Build, now: readonly TableMark[]): boolean =>
  tables.length !== now.length ||
  tables.some((mark, index) => {
    const other = now[index]!;
    const same = mark.uuid === other.uuid && (other.generation === 0 || mark.generation === other.generation);
    return !same || (index > 0 && mark.block !== other.block);
  });
