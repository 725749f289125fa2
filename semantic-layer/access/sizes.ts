import { chTable, type Warehouse } from '#kernel';

interface Size {
  readonly rows: number;
  readonly bytes: number;
}

export interface Sizes {
  /** Rows and bytes of all tables a statement names, each as often as it does; null if one has no known size. */
  boundOf(sql: string): Promise<Size | null>;
  /** Uncompressed bytes of one row, on average; of a table not known, 0. */
  rowBytes(database: string, table: string): number;
}

/** How long sizes are believed: tables grow slowly against limits meant for whole questions. */
const KEPT_MS = 10_000;
/** So long while they are read anew, so that in steady use no question waits for that. */
const KEPT_MEANWHILE_MS = 20_000;
const QUERY = `SELECT t.database AS database, t.name AS name, toString(t.total_rows) AS rows, toString(p.bytes) AS bytes
FROM system.tables AS t
LEFT JOIN (SELECT database, table, sum(data_uncompressed_bytes) AS bytes FROM system.parts WHERE active GROUP BY database, table) AS p
  ON p.database = t.database AND p.table = t.name
WHERE t.database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema')`;

/** Sizes of the warehouse's tables, so that a question over small ones needs no estimate. */
export function createSizes(warehouse: Warehouse): Sizes {
  let known: ReadonlyMap<string, Size | null> = new Map();
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | null = null;

  async function read(): Promise<void> {
    const rows = await warehouse.query<{
      database: string;
      name: string;
      rows: string | null;
      bytes: string;
    }>(QUERY);
    known = new Map(
      rows.map((row) => [
        chTable(row.database, row.name),
        // Tables that are spread over hosts have no size of their own.
        row.rows === null ? null : { rows: Number(row.rows), bytes: Number(row.bytes) },
      ]),
    );
    readAt = performance.now();
  }

  return {
    async boundOf(sql) {
      const age = performance.now() - readAt;
      if (age > KEPT_MS) {
        reading ??= read().finally(() => {
          reading = null;
        });
        reading.catch(() => {}); // told to whoever waits
        if (age > KEPT_MEANWHILE_MS) await reading;
      }
      let [rows, bytes, named] = [0, 0, 0];
      for (const [name, size] of known) {
        const times = sql.split(name).length - 1;
        if (times === 0) continue;
        if (size === null) return null;
        named += times;
        rows += times * size.rows;
        bytes += times * size.bytes;
      }
      return named === 0 ? null : { rows, bytes };
    },
    rowBytes(database, table) {
      const size = known.get(chTable(database, table));
      return size && size.rows > 0 ? size.bytes / size.rows : 0;
    },
  };
}
