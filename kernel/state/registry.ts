import type { Pool } from 'pg';
import type { Registry, TableEntry } from '../ports/registry.ts';
import type { TableId, TableSchema } from '../tables.ts';

interface Row {
  source: string;
  schema_name: string;
  table_name: string;
  topic: string;
  state: TableEntry['state'];
  generation: number;
  version: number;
  snapshot_rows: string;
  estimated_rows: string;
  error: TableEntry['error'];
}

const toEntry = (row: Row): TableEntry => ({
  source: row.source,
  schema: row.schema_name,
  table: row.table_name,
  topic: row.topic,
  state: row.state,
  generation: row.generation,
  version: row.version,
  snapshotRows: Number(row.snapshot_rows),
  estimatedRows: Number(row.estimated_rows),
  error: row.error,
});

const COLUMNS = {
  state: 'state',
  generation: 'generation',
  version: 'version',
  snapshotRows: 'snapshot_rows',
  estimatedRows: 'estimated_rows',
  error: 'error',
} as const;

const idOf = (id: TableId): [string, string, string] => [id.source, id.schema, id.table];
const BY_ID = 'source = $1 AND schema_name = $2 AND table_name = $3';

/** `Registry` over the operational store; see the port for its promises. */
export function createRegistry(pool: Pool): Registry {
  const definition = async (sql: string, values: unknown[]): Promise<TableSchema | null> => {
    const { rows } = await pool.query<{ definition: TableSchema }>(sql, values);
    return rows[0]?.definition ?? null;
  };
  return {
    async tables(source) {
      const { rows } = await pool.query<Row>(
        'SELECT * FROM bac.tables WHERE $1::text IS NULL OR source = $1 ORDER BY source, schema_name, table_name',
        [source ?? null],
      );
      return rows.map(toEntry);
    },
    async table(id) {
      const { rows } = await pool.query<Row>(`SELECT * FROM bac.tables WHERE ${BY_ID}`, idOf(id));
      return rows[0] ? toEntry(rows[0]) : null;
    },
    async upsertTable(entry) {
      await pool.query(
        `INSERT INTO bac.tables (source, schema_name, table_name, topic, state, generation, version, snapshot_rows, estimated_rows, error)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (source, schema_name, table_name) DO UPDATE SET topic = $4, state = $5, generation = $6,
           version = $7, snapshot_rows = $8, estimated_rows = $9, error = $10, updated_at = now()`,
        [
          ...idOf(entry),
          entry.topic,
          entry.state,
          entry.generation,
          entry.version,
          entry.snapshotRows,
          entry.estimatedRows,
          entry.error === null ? null : JSON.stringify(entry.error),
        ],
      );
    },
    async updateTable(id, change) {
      const values: unknown[] = idOf(id);
      const sets: string[] = [];
      for (const [name, column] of Object.entries(COLUMNS) as [keyof typeof COLUMNS, string][]) {
        const value = change[name];
        if (value === undefined) continue;
        values.push(name === 'error' && value !== null ? JSON.stringify(value) : value);
        sets.push(`${column} = $${values.length}`);
      }
      const { rowCount } = await pool.query(
        `UPDATE bac.tables SET ${[...sets, 'updated_at = now()'].join(', ')} WHERE ${BY_ID}`,
        values,
      );
      return (rowCount ?? 0) > 0;
    },
    async removeTable(id) {
      for (const table of [
        'snapshot_chunks',
        'watermarks',
        'dead_letters',
        'verifications',
        'table_versions',
        'tables',
      ]) {
        await pool.query(`DELETE FROM bac.${table} WHERE ${BY_ID}`, idOf(id));
      }
    },
    async addVersion(schema) {
      await pool.query(
        `INSERT INTO bac.table_versions (source, schema_name, table_name, version, definition)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
        [...idOf(schema), schema.version, JSON.stringify(schema)],
      );
    },
    version: (id, version) =>
      definition(`SELECT definition FROM bac.table_versions WHERE ${BY_ID} AND version = $4`, [
        ...idOf(id),
        version,
      ]),
    latest: (id) =>
      definition(
        `SELECT definition FROM bac.table_versions WHERE ${BY_ID} ORDER BY version DESC LIMIT 1`,
        idOf(id),
      ),
  };
}
