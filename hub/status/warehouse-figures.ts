import { chLiteral, chTable, toHubError, type Warehouse } from '#kernel';
import type { Problem } from './types.ts';

export interface TableFigures {
  readonly rows: number;
  readonly bytes: number;
  readonly exact: boolean;
}

export interface WarehouseFigures {
  readonly version: string | null;
  readonly bytes: number | null;
  readonly error: Problem | null;
  readonly tables: ReadonlyMap<string, TableFigures>;
}

const PATIENCE_MS = 3_000;
const SILENT: Problem = {
  code: 'WAREHOUSE_SILENT',
  message: `ClickHouse has not answered for ${PATIENCE_MS / 1000} s.`,
};

interface Part {
  database: string;
  table: string;
  rows: string;
  bytes: string;
  stamp: string;
}

/** Stored rows that one round of exact counting may read at most. */
const COUNT_BUDGET = 1_000_000;
/** An exact count is repeated only when the table's parts changed, and not more often than this. */
const RECOUNT_MS = 5_000;

/**
 * Row counts and sizes without burdening the engine: one read of `system.parts` for all tables, then
 * exact counts (FINAL) of those that changed, smallest first, within a budget; the rest stay
 * approximate and say so.
 */
export class WarehouseReader {
  readonly #warehouse: Warehouse;
  readonly #counts = new Map<string, { stamp: string; rows: number; at: number }>();
  #version: string | null = null;

  constructor(warehouse: Warehouse) {
    this.#warehouse = warehouse;
  }

  /** `databases` are those of the sources. Never throws: a failure is in `error`. */
  async read(databases: readonly string[], ended: AbortSignal): Promise<WarehouseFigures> {
    // The client itself waits long for an engine that restarts; status must say so within seconds.
    const late = AbortSignal.timeout(PATIENCE_MS);
    const signal = AbortSignal.any([ended, late]);
    try {
      // Asked again when there is nothing else to ask, so that a dead engine is noticed.
      if (this.#version === null || databases.length === 0) this.#version = await this.#readVersion(signal);
      if (databases.length === 0) return { version: this.#version, bytes: 0, error: null, tables: new Map() };
      const { cluster } = this.#warehouse;
      // In a cluster the rows of a table are in `<table>__g<generation>`, a part on each shard.
      const [name, source] =
        cluster === undefined
          ? ['table', 'system.parts']
          : [
              "replaceRegexpOne(table, '__g[0-9]+$', '')",
              `cluster(${chLiteral(cluster.name)}, system.parts)`,
            ];
      const parts = await this.#warehouse.query<Part>(
        `SELECT database, ${name} AS table, toString(sum(rows)) AS rows, toString(sum(bytes_on_disk)) AS bytes,
           toString(max(modification_time)) || '/' || toString(count()) || '/' || toString(sum(rows)) AS stamp
         FROM ${source} WHERE active AND database IN (${databases.map(chLiteral).join(', ')})
         GROUP BY database, ${name}`,
        { signal, settings: { max_execution_time: 5, prefer_column_name_to_alias: 1 } },
      );
      await this.#count(parts, signal);
      const tables = new Map(parts.map((part) => [`${part.database}.${part.table}`, this.#figures(part)]));
      const bytes = parts.reduce((sum, part) => sum + Number(part.bytes), 0);
      return { version: this.#version, bytes, error: null, tables };
    } catch (thrown) {
      const { code, message, next } = late.aborted ? SILENT : toHubError(thrown);
      return { version: this.#version, bytes: null, error: { code, message, next }, tables: new Map() };
    }
  }

  async #readVersion(signal?: AbortSignal): Promise<string | null> {
    const rows = await this.#warehouse.query<{ v: string }>('SELECT version() AS v', { signal });
    return rows[0]?.v ?? null;
  }

  #figures(part: Part): TableFigures {
    const count = this.#counts.get(`${part.database}.${part.table}`);
    const exact =
      count !== undefined && (count.stamp === part.stamp || performance.now() - count.at < 2 * RECOUNT_MS);
    return { rows: exact ? count.rows : Number(part.rows), bytes: Number(part.bytes), exact };
  }

  async #count(parts: readonly Part[], signal?: AbortSignal): Promise<void> {
    const now = performance.now();
    const names = new Set(parts.map((part) => `${part.database}.${part.table}`));
    for (const name of this.#counts.keys()) if (!names.has(name)) this.#counts.delete(name);
    let budget = COUNT_BUDGET;
    const due: Part[] = [];
    for (const part of [...parts].sort((a, b) => Number(a.rows) - Number(b.rows))) {
      const known = this.#counts.get(`${part.database}.${part.table}`);
      if (known && (known.stamp === part.stamp || now - known.at < RECOUNT_MS)) continue;
      if (part.table.startsWith('.') || part.table.includes('__')) continue;
      budget -= Number(part.rows);
      if (budget < 0 || due.length === 50) break;
      due.push(part);
    }
    if (due.length === 0) return;
    const selects = due.map(
      (part, index) =>
        `SELECT ${index} AS i, toString(count()) AS n FROM ${chTable(part.database, part.table)} FINAL WHERE _deleted = 0`,
    );
    const rows = await this.#warehouse
      .query<{ i: number; n: string }>(selects.join(' UNION ALL '), {
        signal,
        settings: { max_execution_time: 5 },
      })
      // A table swapped or altered between the two statements: the approximate figures stand this round.
      .catch(() => []);
    for (const { i, n } of rows) {
      const part = due[i]!;
      this.#counts.set(`${part.database}.${part.table}`, { stamp: part.stamp, rows: Number(n), at: now });
    }
  }
}
