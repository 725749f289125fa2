import type { PoolClient } from 'pg';
import {
  type Column,
  chLiteral,
  chTable,
  pgIdent,
  pgTable,
  type TableSchema,
  type Warehouse,
  warehouseTableOf,
} from '#kernel';
import {
  sourceCanonical,
  sourceHash,
  sourcePart,
  sourceShown,
  sourceSum,
  warehouseCanonical,
  warehouseHash,
  warehouseIdent,
  warehousePart,
  warehouseShown,
  warehouseSum,
} from './canonical.ts';

/** Sum over one bucket of rows; order plays no part. Digits as text: sums exceed 2^53. */
export interface Digest {
  readonly count: number;
  readonly sum: string;
}

export interface RowDigest {
  /** Hash of the key's canonical text. */
  readonly id: string;
  /** Text of the first key column, by which the row is found quickly; null where it cannot serve. */
  readonly first: string | null;
  /** Hash of the whole row's canonical text. */
  readonly hash: string;
  /** At the source the transaction that wrote this version of the row, null where it does not say; in the warehouse its `_version`. */
  readonly version: string | null;
}

export interface RowValues {
  readonly id: string;
  readonly canonical: readonly string[];
  readonly shown: readonly (string | null)[];
}

/** A part of the key space; the condition is understood by both engines. */
export interface Range {
  readonly low: string | null;
  readonly high: string | null;
}

/** How one engine answers the questions of verification about one table. */
export interface Side {
  digests(range: Range, buckets: number): Promise<Map<number, Digest>>;
  rowsOf(range: Range, buckets: number, wanted: readonly number[]): Promise<Map<string, RowDigest>>;
  rows(wanted: readonly Pick<RowDigest, 'id' | 'first'>[]): Promise<Map<string, RowDigest>>;
  values(wanted: readonly Pick<RowDigest, 'id' | 'first'>[]): Promise<Map<string, RowValues>>;
}

const INTEGERS = new Set(['int2', 'int4', 'int8']);

export function firstKey(schema: TableSchema): Column | null {
  if (schema.keyRule === 'whole-row') return null;
  return schema.columns.find((column) => column.name === schema.key[0]) ?? null;
}

/** The first key column if ranges of it mean the same to both engines. */
export function rangeColumn(schema: TableSchema): Column | null {
  const column = firstKey(schema);
  return column && INTEGERS.has(column.type.kind) ? column : null;
}

/** Its text form is the same on both sides and finds the row by the key's index. */
const findable = (column: Column | null): column is Column =>
  column !== null && (INTEGERS.has(column.type.kind) || column.type.kind === 'uuid');

const keyColumns = (schema: TableSchema): Column[] =>
  schema.key.map((name) => schema.columns.find((column) => column.name === name)!);

const within = (ident: string, { low, high }: Range): string =>
  [...(low === null ? [] : [`${ident} >= ${low}`]), ...(high === null ? [] : [`${ident} < ${high}`])].join(
    ' AND ',
  ) || '1 = 1';

/** `run` gives a session with the settings of catalog/profile.ts. */
export function sourceSide(
  schema: TableSchema,
  options: { readonly partitioned: boolean; readonly utf8: boolean; readonly writers: boolean },
  run: <T>(work: (client: PoolClient) => Promise<T>) => Promise<T>,
): Side {
  const from = `${options.partitioned ? '' : 'ONLY '}${pgTable(schema.schema, schema.table)}`;
  const id = sourceHash(keyColumns(schema), options.utf8);
  const hash = schema.keyRule === 'whole-row' ? id : sourceHash(schema.columns, options.utf8);
  // Equal rows of a table without a key are one row in the warehouse.
  const distinct = schema.keyRule === 'whole-row' ? 'DISTINCT ' : '';
  const first = firstKey(schema);
  const found = findable(first) ? first : null;
  const firstText = found ? `${pgIdent(found.name)}::text` : 'NULL::text';
  const version = options.writers && !distinct ? 'xmin::text' : 'NULL::text';
  const range = (at: Range): string => {
    const column = rangeColumn(schema);
    return column ? within(pgIdent(column.name), at) : '1 = 1';
  };
  const bucket = (buckets: number): string => `(${sourcePart('id')} % ${buckets})::int4`;
  const collectSource = (rows: readonly RowDigest[]): Map<string, RowDigest> =>
    new Map(rows.map((row) => [row.id, row]));
  const lookup = (
    wanted: readonly Pick<RowDigest, 'id' | 'first'>[],
  ): { where: string; values: unknown[] } => ({
    where: `${id} = ANY ($1)${found ? ` AND ${pgIdent(found.name)} = ANY ($2::text[]::${found.type.sourceType}[])` : ''}`,
    values: [wanted.map((row) => row.id), ...(found ? [[...new Set(wanted.map((row) => row.first))]] : [])],
  });
  return {
    async digests(at, buckets) {
      const { rows } = await run((client) =>
        client.query<{ bucket: number; count: string; sum: string }>(
          `SELECT ${bucket(buckets)} AS bucket, count(*) AS count, ${sourceSum('hash')} AS sum
           FROM (SELECT ${distinct}${id} AS id, ${hash} AS hash FROM ${from} WHERE ${range(at)}) r GROUP BY 1`,
        ),
      );
      return new Map(rows.map((row) => [row.bucket, { count: Number(row.count), sum: row.sum }]));
    },
    async rowsOf(at, buckets, wanted) {
      const { rows } = await run((client) =>
        client.query<RowDigest>(
          `SELECT * FROM (SELECT ${distinct}${id} AS id, ${firstText} AS first, ${hash} AS hash, ${version} AS version
             FROM ${from} WHERE ${range(at)}) r WHERE ${bucket(buckets)} = ANY ($1)`,
          [wanted],
        ),
      );
      return collectSource(rows);
    },
    async rows(wanted) {
      const { where, values } = lookup(wanted);
      const { rows } = await run((client) =>
        client.query<RowDigest>(
          `SELECT ${distinct}${id} AS id, ${firstText} AS first, ${hash} AS hash, ${version} AS version FROM ${from} WHERE ${where}`,
          values,
        ),
      );
      return collectSource(rows);
    },
    async values(wanted) {
      const { where, values } = lookup(wanted);
      const { rows } = await run((client) =>
        client.query<RowValues>(
          `SELECT ${distinct}${id} AS id, ARRAY[${schema.columns.map(sourceCanonical).join(', ')}]::text[] AS canonical,
             ARRAY[${schema.columns.map(sourceShown).join(', ')}]::text[] AS shown FROM ${from} WHERE ${where}`,
          values,
        ),
      );
      return new Map(rows.map((row) => [row.id, row]));
    },
  };
}

// In ClickHouse an alias hides a column of that name, everywhere in the query.
const ID = '__verify_id';
const FIRST = '__verify_first';
const HASH = '__verify_hash';
const VERSION = '__verify_version';
const CANONICAL = '__verify_canonical';
const SHOWN = '__verify_shown';

interface DigestRow {
  readonly [ID]: string;
  readonly [FIRST]: string | null;
  readonly [HASH]: string;
  readonly [VERSION]: string;
}

const collect = (rows: readonly DigestRow[]): Map<string, RowDigest> =>
  new Map(
    rows.map((row) => [row[ID], { id: row[ID], first: row[FIRST], hash: row[HASH], version: row[VERSION] }]),
  );

export function warehouseSide(schema: TableSchema, warehouse: Warehouse, signal: AbortSignal): Side {
  const at = warehouseTableOf(schema);
  const from = `${chTable(at.database, at.table)} FINAL`;
  const id = warehouseHash(keyColumns(schema));
  const hash = schema.keyRule === 'whole-row' ? id : warehouseHash(schema.columns);
  const first = firstKey(schema);
  const found = findable(first) ? first : null;
  const firstText = found ? `toString(${warehouseIdent(found.name)})` : 'NULL';
  const range = (part: Range): string => {
    const column = rangeColumn(schema);
    return `_deleted = 0 AND ${column ? within(warehouseIdent(column.name), part) : '1 = 1'}`;
  };
  const bucket = (buckets: number): string => `${warehousePart(ID)} % ${buckets}`;
  const query = <Row>(sql: string): Promise<Row[]> => warehouse.query<Row>(sql, { signal });
  const list = (items: readonly string[]): string => items.map(chLiteral).join(', ');
  const lookup = (wanted: readonly Pick<RowDigest, 'id' | 'first'>[]): string => {
    const firsts = found ? [...new Set(wanted.flatMap((row) => row.first ?? []))] : [];
    const quick = found && firsts.length > 0 ? ` AND ${warehouseIdent(found.name)} IN (${list(firsts)})` : '';
    return `_deleted = 0${quick} AND ${id} IN (${list(wanted.map((row) => row.id))})`;
  };
  const digest = (where: string): string =>
    `SELECT ${id} AS ${ID}, ${firstText} AS ${FIRST}, ${hash} AS ${HASH}, toString(_version) AS ${VERSION}
     FROM ${from} WHERE ${where}`;
  return {
    async digests(part, buckets) {
      const rows = await query<{ bucket: number | string; count: string; sum: string }>(
        `SELECT ${bucket(buckets)} AS bucket, count() AS count, ${warehouseSum(HASH)} AS sum
         FROM (${digest(range(part))}) GROUP BY bucket`,
      );
      return new Map(rows.map((row) => [Number(row.bucket), { count: Number(row.count), sum: row.sum }]));
    },
    async rowsOf(part, buckets, wanted) {
      return collect(
        await query<DigestRow>(
          `SELECT * FROM (${digest(range(part))}) WHERE ${bucket(buckets)} IN (${wanted.join(', ')})`,
        ),
      );
    },
    async rows(wanted) {
      return collect(await query<DigestRow>(digest(lookup(wanted))));
    },
    async values(wanted) {
      const rows = await query<{
        readonly [ID]: string;
        readonly [CANONICAL]: string[];
        readonly [SHOWN]: (string | null)[];
      }>(
        `SELECT ${id} AS ${ID}, [${schema.columns.map(warehouseCanonical).join(', ')}] AS ${CANONICAL},
           [${schema.columns.map(warehouseShown).join(', ')}] AS ${SHOWN}
         FROM ${from} WHERE ${lookup(wanted)}`,
      );
      return new Map(
        rows.map((row) => [row[ID], { id: row[ID], canonical: row[CANONICAL], shown: row[SHOWN] }]),
      );
    },
  };
}
