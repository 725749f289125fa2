import type pg from 'pg';
import { type Column, nearest, type TableSchema, userError } from '#kernel';
import { type KeyFacts, keyOf, type Reason } from './keys.ts';
import { sessionSql } from './profile.ts';
import {
  type ColumnRow,
  columnsSql,
  INDEXES_SQL,
  type IndexRow,
  OTHER_RELATION_SQL,
  type StorageRow,
  storageSql,
  TABLES_SQL,
  type TableRow,
} from './queries.ts';
import { loadTypes, resolveType } from './types.ts';

/** One attribute as the catalog has it now, dropped ones included; what relation messages are aligned with. */
export interface Attribute {
  readonly attnum: number;
  readonly name: string;
  readonly dropped: boolean;
  readonly typeOid: number;
  readonly typmod: number;
  /** Appears in relation messages: neither dropped nor an unpublished generated column. */
  readonly published: boolean;
  readonly hasDefault: boolean;
  readonly hasMissing: boolean;
}

export interface CatalogTable {
  readonly schema: Omit<TableSchema, 'version'>;
  readonly oid: number;
  readonly partitioned: boolean;
  /** Key columns by whose hash rows are spread (YugabyteDB); empty elsewhere. */
  readonly hashColumns: readonly string[];
  readonly estimatedRows: number;
  readonly attributes: readonly Attribute[];
  /** Why the table cannot be captured; null = it can. */
  readonly reason: Reason | null;
}

export interface IntrospectOptions {
  /** `schema.table`, `table` (in public) or `schema.*`; absent = all user tables. */
  readonly tables?: readonly string[];
}

/**
 * All user tables with what capture must know of them, ordered by schema and name, from one catalog
 * snapshot. Partitioned tables come once, as their root; views, foreign and temporary tables and the
 * hub's own schema never. `client` must not be inside a transaction.
 * Errors: TABLE_NOT_FOUND (user) with the nearest name.
 */
export async function introspectTables(
  client: pg.ClientBase,
  source: string,
  options: IntrospectOptions = {},
): Promise<CatalogTable[]> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  try {
    await client.query(sessionSql(true));
    const filters = options.tables?.map((name) => (name.includes('.') ? name : `public.${name}`));
    const { rows: tables } = await client.query<TableRow>(TABLES_SQL, [filters ?? null]);
    await assertFound(client, tables, filters ?? []);
    return await describe(client, source, tables);
  } finally {
    await client.query('ROLLBACK');
  }
}

async function describe(
  client: pg.ClientBase,
  source: string,
  tables: readonly TableRow[],
): Promise<CatalogTable[]> {
  const { rows: servers } = await client.query<{ version: number; yugabyte: boolean }>(
    "SELECT current_setting('server_version_num')::int4 AS version, current_setting('server_version') LIKE '%-YB-%' AS yugabyte",
  );
  const { version, yugabyte } = servers[0]!;
  const oids = tables.map((table) => table.oid);
  const { rows: columns } = await client.query<ColumnRow>(columnsSql(version, yugabyte), [oids]);
  const { rows: indexes } = await client.query<IndexRow>(INDEXES_SQL, [oids]);
  const storages = await readStorage(client, oids);
  const types = await loadTypes(
    client,
    columns.filter((column) => !column.dropped).map((column) => column.type),
  );
  const columnsOf = Map.groupBy(columns, (column) => column.relid);
  const indexesOf = Map.groupBy(indexes, (index) => index.relid);
  const storageOf = new Map(storages.map((row) => [row.relid, row]));
  return tables.map((table) => {
    // Stored generated columns are published from PostgreSQL 18 on; virtual ones never.
    const all = columnsOf.get(table.oid) ?? [];
    const attributes = all.map(
      (row): Attribute => ({
        attnum: row.attnum,
        name: row.name,
        dropped: row.dropped,
        typeOid: row.type,
        typmod: row.typmod,
        published: !row.dropped && (row.generated === '' || (row.generated === 's' && version >= 180_000)),
        hasDefault: row.has_default && row.generated === '',
        hasMissing: row.has_missing,
      }),
    );
    const captured = all
      .filter((_, index) => attributes[index]!.published)
      .map(
        (row): Column => ({
          name: row.name,
          attnum: row.attnum,
          type: resolveType(types, row.type, row.typmod, row.declared ?? ''),
          nullable: !row.not_null,
          fill: row.missing,
          ...(row.comment === null ? {} : { comment: row.comment }),
        }),
      );
    const facts: KeyFacts = {
      table,
      columns: captured,
      indexes: indexesOf.get(table.oid) ?? [],
      primaryKeyOnly: yugabyte,
    };
    const { reason, ...key } = keyOf(facts);
    const storage = storageOf.get(table.oid);
    return {
      schema: {
        source,
        schema: table.schema,
        table: table.table,
        columns: captured,
        ...key,
        fullIdentity: table.identity === 'f',
        ...(table.comment === null ? {} : { comment: table.comment }),
        origin: {
          oid: table.oid,
          lastAttnum: table.last_attnum,
          storage: storage?.storage ?? '',
          ...(yugabyte ? {} : { marks: Object.fromEntries(all.map((row) => [row.attnum, row.mark ?? ''])) }),
        },
      },
      oid: table.oid,
      partitioned: table.relkind === 'p',
      hashColumns: hashColumns(facts),
      estimatedRows: Math.max(0, Math.round(storage?.estimated ?? 0)),
      attributes,
      reason,
    };
  });
}

/** A table that somebody holds locked must not keep all others waiting. */
async function readStorage(client: pg.ClientBase, oids: readonly number[]): Promise<StorageRow[]> {
  await client.query("SAVEPOINT sizes; SET LOCAL lock_timeout = '200ms'");
  try {
    return (await client.query<StorageRow>(storageSql(true), [oids])).rows;
  } catch (error) {
    if ((error as { code?: string }).code !== '55P03') throw error;
    await client.query('ROLLBACK TO SAVEPOINT sizes');
    return (await client.query<StorageRow>(storageSql(false), [oids])).rows;
  }
}

function hashColumns({ columns, indexes }: KeyFacts): string[] {
  const primary = indexes.find((index) => index.is_primary);
  return (primary?.hash_attnums ?? []).flatMap(
    (attnum) => columns.find((column) => column.attnum === attnum)?.name ?? [],
  );
}

async function assertFound(
  client: pg.ClientBase,
  tables: readonly TableRow[],
  filters: readonly string[],
): Promise<void> {
  for (const filter of filters) {
    const found = filter.endsWith('.*')
      ? tables.some((table) => `${table.schema}.*` === filter)
      : tables.some((table) => `${table.schema}.${table.table}` === filter);
    if (found) continue;
    const { rows: others } = await client.query<{ what: string }>(OTHER_RELATION_SQL, [filter]);
    const { rows: all } = await client.query<TableRow>(TABLES_SQL, [null]);
    const known = filter.endsWith('.*')
      ? [...new Set(all.map((table) => `${table.schema}.*`))]
      : all.map((table) => `${table.schema}.${table.table}`);
    const near = nearest(filter, known);
    throw userError(
      'TABLE_NOT_FOUND',
      others[0]
        ? `"${filter}" is ${others[0].what}.`
        : `The source has no table "${filter}" that this user can see.`,
      near
        ? `Did you mean "${near}"?`
        : `Tables there: ${known.slice(0, 10).join(', ')}${known.length > 10 ? ', ...' : ''}.`,
    );
  }
}
