import pg from 'pg';
import {
  type ForeignKey,
  type Logger,
  type Registry,
  type TableSchema,
  toHubError,
  topicOf,
  type Warehouse,
  type WarehouseTable,
  warehouseTableOf,
} from '#kernel';

interface TablesOptions {
  readonly pool: pg.Pool;
  readonly registry: Registry;
  readonly warehouse: Warehouse;
  readonly logger: Logger;
}

/** The captured tables as the warehouse has them now: a column the sink has not added yet is not among them. */
export async function readTables(options: TablesOptions): Promise<WarehouseTable[]> {
  const { registry, warehouse } = options;
  const entries = await registry.tables();
  const columns = await warehouse.query<{ database: string; table: string; names: string[] }>(
    `SELECT database, table, groupArray(name) AS names FROM system.columns
     WHERE database IN ({databases:Array(String)}) GROUP BY database, table`,
    { params: { databases: [...new Set(entries.map(({ source }) => source))] } },
  );
  const stored = new Map(
    columns.map(({ database, table, names }) => [`${database}.${table}`, new Set(names)]),
  );
  const keys = await foreignKeys(options, [...new Set(entries.map(({ source }) => source))]);
  const tables = entries.map(async (entry): Promise<WarehouseTable | null> => {
    const { database, table } = warehouseTableOf(entry);
    const names = stored.get(`${database}.${table}`);
    const schema = names && (await registry.latest(entry));
    if (!schema) return null;
    return {
      topic: entry.topic,
      schema: within(schema, names),
      database,
      table,
      foreignKeys: keys.get(entry.topic) ?? [],
    };
  });
  return (await Promise.all(tables)).filter((table) => table !== null);
}

const within = (schema: TableSchema, names: ReadonlySet<string>): TableSchema => ({
  ...schema,
  columns: schema.columns.filter(({ name }) => names.has(name)),
});

const FOREIGN_KEYS = `
SELECT n.nspname AS schema, c.relname AS "table", fn.nspname AS "toSchema", fc.relname AS "toTable",
  (SELECT json_agg(a.attname ORDER BY k.i) FROM unnest(o.conkey) WITH ORDINALITY k (n, i)
    JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.n) AS columns,
  (SELECT json_agg(a.attname ORDER BY k.i) FROM unnest(o.confkey) WITH ORDINALITY k (n, i)
    JOIN pg_attribute a ON a.attrelid = o.confrelid AND a.attnum = k.n) AS "toColumns"
FROM pg_constraint o
JOIN pg_class c ON c.oid = o.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class fc ON fc.oid = o.confrelid JOIN pg_namespace fn ON fn.oid = fc.relnamespace
WHERE o.contype = 'f' AND o.conparentid = 0 ORDER BY o.oid`;

interface KeyRow {
  readonly schema: string;
  readonly table: string;
  readonly toSchema: string;
  readonly toTable: string;
  readonly columns: readonly string[];
  readonly toColumns: readonly string[];
}

/** Foreign keys by topic, from the sources themselves. One that does not answer has none for now. */
async function foreignKeys(
  { pool, logger }: TablesOptions,
  sources: readonly string[],
): Promise<Map<string, ForeignKey[]>> {
  const { rows } = await pool.query<{ name: string; url: string }>(
    'SELECT name, url FROM bac.sources WHERE name = ANY($1)',
    [sources],
  );
  const keys = new Map<string, ForeignKey[]>();
  await Promise.all(
    rows.map(async ({ name, url }) => {
      for (const row of await keysOf(url).catch((thrown) => {
        logger.warn({ source: name, err: toHubError(thrown) }, 'foreign keys could not be read');
        return [];
      })) {
        const topic = topicOf({ source: name, schema: row.schema, table: row.table });
        const to = topicOf({ source: name, schema: row.toSchema, table: row.toTable });
        const list = keys.get(topic) ?? [];
        list.push({ columns: row.columns, to, toColumns: row.toColumns });
        keys.set(topic, list);
      }
    }),
  );
  return keys;
}

async function keysOf(url: string): Promise<KeyRow[]> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 5_000,
    application_name: 'bac semantic layer',
  });
  client.on('error', () => {}); // the query that runs fails with it
  try {
    await client.connect();
    return (await client.query<KeyRow>(FOREIGN_KEYS)).rows;
  } finally {
    await client.end().catch(() => {});
  }
}
