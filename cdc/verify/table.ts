import type { Pool } from 'pg';
import {
  type ChangeLog,
  HubError,
  pgIdent,
  pgTable,
  type TableEntry,
  type TableSchema,
  type Warehouse,
  warehouseTableOf,
} from '#kernel';
import { introspectTables, profileOf, type SourceKind } from '../catalog/index.ts';
import type { Sessions } from '../snapshot/index.ts';
import { type RepairContext, repair } from './repair.ts';
import type { Difference, TableReport } from './report.ts';
import { type Suspect, settle } from './settle.ts';
import { type Digest, type Range, rangeColumn, type Side, sourceSide, warehouseSide } from './sides.ts';
import { awaitApplied, awaitWatermark, momentNow, watermarkOf } from './watermark.ts';

export interface TableContext {
  readonly kind: SourceKind;
  readonly pool: Pool;
  readonly sessions: Sessions;
  readonly warehouse: Warehouse;
  readonly entry: TableEntry;
  readonly schema: TableSchema;
  /** Where repairs go; absent = only compare. */
  readonly log: ChangeLog | null;
  readonly catchUpMs: number;
  readonly signal: AbortSignal;
  readonly onProgress: (facts: { ranges: number; rangesDone: number; differences: number }) => void;
}

/** Rows of one range, about. */
const RANGE_ROWS = 1_000_000;
/** Rows of one bucket, about; a bucket is the part of a range whose keys hash alike. */
const BUCKET_ROWS = 256;
const MAX_BUCKETS = 16_384;
/** Rows fetched from suspect buckets at once, about. */
const FETCH_ROWS = 50_000;
const SETTLE_ROWS = 3000;
const MAX_DIFFERENCES = 10_000;
const MAX_EXAMPLES = 100;

type Findings = Omit<TableReport, 'source' | 'table' | 'state' | 'seconds' | 'openDeadLetters'>;

/**
 * Compares one table range by range: both engines sum up row hashes per bucket of keys, buckets that
 * differ are compared row by row, rows that differ are looked at again until they are settled.
 * Memory is bounded by a fetch of suspect buckets, whatever the size of the table.
 */
export class TableComparison {
  readonly #context: TableContext;
  readonly #found = {
    sourceRows: 0,
    warehouseRows: 0,
    ranges: 0,
    suspectParts: 0,
    differences: 0,
    repaired: 0,
    changing: 0,
    examples: [] as Difference[],
    truncated: false,
  };
  #reason: string | undefined;
  #source!: Side;
  #warehouse!: Side;
  #repair!: RepairContext;

  constructor(context: TableContext) {
    this.#context = context;
  }

  async run(): Promise<Findings> {
    const estimate = await this.#open();
    const ranges = await this.#ranges(estimate);
    this.#found.ranges = ranges.length;
    const buckets = Math.min(
      MAX_BUCKETS,
      Math.max(1, Math.ceil(Math.min(estimate / ranges.length, RANGE_ROWS * 4) / BUCKET_ROWS)),
    );
    for (const [index, range] of ranges.entries()) {
      this.#context.signal.throwIfAborted();
      await this.#range(range, buckets);
      const { differences } = this.#found;
      this.#context.onProgress({ ranges: ranges.length, rangesDone: index + 1, differences });
      if (this.#found.truncated) break;
    }
    return { ...this.#found, ...(this.#reason === undefined ? {} : { reason: this.#reason }) };
  }

  async #open(): Promise<number> {
    const { schema, entry, kind, sessions, warehouse, signal, pool } = this.#context;
    const profile = profileOf(kind);
    const run: RepairContext['run'] = (work) => sessions.use(work, signal);
    const { partitioned, estimatedRows, utf8 } = await run(async (client) => {
      const [found] = await introspectTables(client, schema.source, {
        tables: [`${schema.schema}.${schema.table}`],
      });
      const encoding = await client.query<{ utf8: boolean }>(
        "SELECT current_setting('server_encoding') = 'UTF8' AS utf8",
      );
      return { ...found!, utf8: encoding.rows[0]!.utf8 };
    });
    this.#source = sourceSide(schema, { partitioned, utf8, writers: profile.rowTransactions }, run);
    this.#warehouse = warehouseSide(schema, warehouse, signal);
    const watermark = async (): Promise<number> => (await watermarkOf(pool, schema))?.lsn ?? 0;
    const log = this.#context.log!;
    this.#repair = { schema, entry, partitioned, utf8, profile, log, warehouse, signal, run, watermark };
    return Math.max(estimatedRows, entry.snapshotRows);
  }

  /** The first and the last range are open, so that every row on either side is in one. */
  async #ranges(estimate: number): Promise<Range[]> {
    const { schema, sessions, signal } = this.#context;
    const column = rangeColumn(schema);
    const count = Math.ceil(estimate / RANGE_ROWS);
    if (!column || count <= 1) return [{ low: null, high: null }];
    const key = pgIdent(column.name);
    const { rows } = await sessions.use(
      (client) =>
        client.query<{ low: string | null; high: string | null }>(
          `SELECT min(${key})::text AS low, max(${key})::text AS high FROM ${pgTable(schema.schema, schema.table)}`,
        ),
      signal,
    );
    const { low, high } = rows[0]!;
    if (low === null || high === null) return [{ low: null, high: null }];
    const first = BigInt(low);
    const span = BigInt(high) - first + 1n;
    const bounds = Array.from({ length: count - 1 }, (_, index) =>
      String(first + (span * BigInt(index + 1)) / BigInt(count)),
    );
    const edges = [null, ...new Set(bounds), null];
    return edges.slice(1).map((edge, index) => ({ low: edges[index]!, high: edge }));
  }

  async #range(range: Range, buckets: number): Promise<void> {
    const [source, warehouse] = await Promise.all([
      this.#source.digests(range, buckets),
      this.#warehouse.digests(range, buckets),
    ]);
    this.#found.sourceRows += total(source);
    this.#found.warehouseRows += total(warehouse);
    const suspect = [...new Set([...source.keys(), ...warehouse.keys()])].filter((bucket) => {
      const [a, b] = [source.get(bucket), warehouse.get(bucket)];
      return a?.count !== b?.count || a?.sum !== b?.sum;
    });
    this.#found.suspectParts += suspect.length;
    const rowsPerBucket = Math.max(1, (total(source) + total(warehouse)) / buckets);
    const atOnce = Math.max(1, Math.floor(FETCH_ROWS / rowsPerBucket));
    for (let from = 0; from < suspect.length && !this.#found.truncated; from += atOnce) {
      await this.#buckets(range, buckets, suspect.slice(from, from + atOnce));
    }
  }

  async #buckets(range: Range, buckets: number, wanted: readonly number[]): Promise<void> {
    const [source, warehouse] = await Promise.all([
      this.#source.rowsOf(range, buckets, wanted),
      this.#warehouse.rowsOf(range, buckets, wanted),
    ]);
    const suspects: Suspect[] = [];
    for (const row of source.values()) {
      if (warehouse.get(row.id)?.hash !== row.hash) suspects.push({ id: row.id, first: row.first });
    }
    for (const row of warehouse.values()) {
      if (!source.has(row.id)) suspects.push({ id: row.id, first: row.first });
    }
    for (let from = 0; from < suspects.length && !this.#found.truncated; from += SETTLE_ROWS) {
      await this.#judge(suspects.slice(from, from + SETTLE_ROWS));
    }
  }

  async #judge(suspects: readonly Suspect[]): Promise<void> {
    const settled = await this.#settle(suspects);
    if (!settled.caughtUp) {
      this.#reason = this.#late('rows counted as different may only be late');
    }
    this.#found.changing += settled.changing.length;
    if (settled.different.length === 0) return;
    const examples = await this.#explain(
      settled.different.slice(0, MAX_EXAMPLES - this.#found.examples.length),
    );
    let open = new Set(settled.different.map((suspect) => suspect.id));
    if (this.#context.log && settled.caughtUp) open = await this.#mend(settled.different);
    this.#found.differences += settled.different.length;
    this.#found.repaired += settled.different.length - open.size;
    this.#found.examples.push(
      ...examples.map(({ id, ...difference }) => ({ ...difference, repaired: !open.has(id) })),
    );
    if (this.#found.differences >= MAX_DIFFERENCES) {
      this.#found.truncated = true;
      this.#reason ??= `More than ${MAX_DIFFERENCES} rows differ. Take the table's snapshot again instead: bac connect resnapshot.`;
    }
  }

  /** Repairs rows and gives those that are still different afterwards. */
  async #mend(suspects: readonly Suspect[]): Promise<Set<string>> {
    const { log, catchUpMs, signal } = this.#context;
    const all = (): Set<string> => new Set(suspects.map((suspect) => suspect.id));
    try {
      const sent = await repair(this.#repair, suspects);
      if (!(await awaitApplied(log!, sent, catchUpMs, signal))) {
        this.#reason = this.#late('the repaired rows are on their way');
        return all();
      }
    } catch (error) {
      if (!(error instanceof HubError) || !error.code.startsWith('REPAIR_')) throw error;
      this.#reason = [error.message, error.next].join(' ');
      return all();
    }
    const settled = await this.#settle(suspects);
    return new Set(settled.different.map((suspect) => suspect.id));
  }

  #late(so: string): string {
    return `The warehouse did not catch up with the source within ${this.#context.catchUpMs / 1000} s: ${so}.`;
  }

  #settle(suspects: readonly Suspect[]): ReturnType<typeof settle> {
    const { pool, schema, sessions, kind, catchUpMs, signal, warehouse } = this.#context;
    const { database, table } = warehouseTableOf(schema);
    return settle(suspects, this.#source, this.#warehouse, async () => {
      const moment = await sessions.use((client) => momentNow(client, profileOf(kind)), signal);
      const caughtUp = await awaitWatermark(pool, schema, moment, catchUpMs, signal);
      // The watermark says that a replica has it; any may be asked.
      await warehouse.cluster?.settled(database, table);
      return caughtUp;
    });
  }

  async #explain(suspects: readonly Suspect[]): Promise<(Omit<Difference, 'repaired'> & { id: string })[]> {
    if (suspects.length === 0) return [];
    const { columns, key } = this.#context.schema;
    const [source, warehouse] = await Promise.all([
      this.#source.values(suspects),
      this.#warehouse.values(suspects),
    ]);
    return suspects.map(({ id }) => {
      const [a, b] = [source.get(id), warehouse.get(id)];
      const shown = (a ?? b)?.shown ?? [];
      const places = columns.map((column, index) => ({ column: column.name, index }));
      return {
        id,
        kind:
          a && b
            ? ('different' as const)
            : a
              ? ('missing-in-warehouse' as const)
              : ('extra-in-warehouse' as const),
        key: Object.fromEntries(
          places
            .filter(({ column }) => key.includes(column))
            .map(({ column, index }) => [column, shown[index] ?? null]),
        ),
        columns:
          a && b
            ? places
                .filter(({ index }) => a.canonical[index] !== b.canonical[index])
                .map(({ column, index }) => ({
                  column,
                  source: a.shown[index] ?? null,
                  warehouse: b.shown[index] ?? null,
                }))
            : [],
      };
    });
  }
}

const total = (digests: ReadonlyMap<number, Digest>): number =>
  [...digests.values()].reduce((sum, digest) => sum + digest.count, 0);
