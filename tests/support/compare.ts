import type pg from 'pg';
import { chTable, pgIdent, pgTable, warehouseTableOf } from '#kernel';

/**
 * Compares a source table with its warehouse table value by value, independently of the product's own
 * verification: both sides are read whole and brought to one text form per type.
 */
export interface ChRead {
  query<Row>(sql: string): Promise<Row[]>;
}

interface ColumnRow {
  readonly name: string;
  readonly type: string;
  readonly array: boolean;
  readonly key: boolean;
}

const COLUMNS = `
SELECT a.attname AS name, format_type(t.oid, NULL) AS type, t.typelem <> 0 AND t.typlen = -1 AS array,
       coalesce(a.attnum = ANY (i.indkey), false) AS key
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum`;

const INT = /^(smallint|integer|bigint)$/;

function sourceText(column: ColumnRow): string {
  const name = pgIdent(column.name);
  if (column.array) return `coalesce(array_to_json(${name})::text, '∅')`;
  switch (column.type) {
    case 'boolean':
      return `coalesce(CASE WHEN ${name} THEN 'true' ELSE 'false' END, '∅')`;
    case 'bytea':
      return `coalesce(encode(${name}, 'hex'), '∅')`;
    case 'numeric':
      return `coalesce(trim_scale(${name})::text, '∅')`;
    case 'double precision':
      return `coalesce(encode(float8send(${name}), 'hex'), '∅')`;
    case 'real':
      return `coalesce(encode(float4send(${name}), 'hex'), '∅')`;
    default:
      return `coalesce(${name}::text, '∅')`;
  }
}

function warehouseText(column: ColumnRow): string {
  const name = `\`${column.name}\``;
  const raw = `_raw['${column.name}']`;
  const orRaw = (text: string): string =>
    `if(mapContains(_raw, '${column.name}'), ${raw}, ifNull(${text}, '∅'))`;
  if (column.array) return `if(${raw} = 'NULL', '∅', ${orRaw(`toJSONString(${name})`)})`;
  switch (column.type) {
    case 'bytea':
      return `ifNull(lower(hex(${name})), '∅')`;
    case 'double precision':
    case 'real':
      return `ifNull(arrayStringConcat(arrayReverse(extractAll(lower(hex(${name})), '..'))), '∅')`;
    case 'timestamp without time zone':
      return orRaw(`replaceRegexpOne(replaceRegexpOne(toString(${name}), '0+$', ''), '\\\\.$', '')`);
    case 'timestamp with time zone':
      return orRaw(
        `concat(replaceRegexpOne(replaceRegexpOne(toString(${name}), '0+$', ''), '\\\\.$', ''), '+00')`,
      );
    default:
      return orRaw(`toString(${name})`);
  }
}

/** First differences as sentences; empty = equal. */
export async function compareTable(
  client: pg.Client,
  warehouse: ChRead,
  source: string,
  schema: string,
  table: string,
): Promise<string[]> {
  const { rows: columns } = await client.query<ColumnRow>(COLUMNS, [pgTable(schema, table)]);
  const at = warehouseTableOf({ source, schema, table });
  const keys = columns.filter((column) => column.key);
  const select = columns.map(sourceText).join(', ');
  const { rows } = await client.query<string[]>({
    text: `SELECT ${select} FROM ${pgTable(schema, table)}`,
    rowMode: 'array',
  });
  const found = await warehouse.query<{ r: string[] }>(
    `SELECT [${columns.map(warehouseText).join(', ')}] AS r FROM ${chTable(at.database, at.table)} FINAL WHERE _deleted = 0`,
  );
  const keyOf = (row: readonly string[]): string =>
    JSON.stringify(keys.length === 0 ? row : keys.map((key) => row[columns.indexOf(key)]));
  const there = new Map(found.map(({ r }) => [keyOf(r), r]));
  const differences: string[] = [];
  for (const row of rows) {
    const other = there.get(keyOf(row));
    there.delete(keyOf(row));
    if (!other) differences.push(`${schema}.${table} ${keyOf(row)}: missing in the warehouse`);
    else {
      columns.forEach((column, index) => {
        if (row[index] === other[index] || sameNumber(column, row[index]!, other[index]!)) return;
        differences.push(
          `${schema}.${table} ${keyOf(row)}: ${column.name} is ${row[index]!.slice(0, 80)}, warehouse has ${other[index]!.slice(0, 80)}`,
        );
      });
    }
    if (differences.length > 20) break;
  }
  for (const key of [...there.keys()].slice(0, 5))
    differences.push(`${schema}.${table} ${key}: only in the warehouse`);
  return differences;
}

/** Decimal text that differs in trailing zeros only, NaN and Infinity kept apart. */
function sameNumber(column: ColumnRow, a: string, b: string): boolean {
  if (column.type !== 'numeric' && !INT.test(column.type)) return false;
  const trim = (text: string): string =>
    text.includes('.') ? text.replace(/0+$/, '').replace(/\.$/, '') : text;
  return trim(a) === trim(b);
}
