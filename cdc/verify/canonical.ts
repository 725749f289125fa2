import { type Column, chIdent, chLiteral, pgIdent, type ScalarType, UNBOUNDED_NUMERIC } from '#kernel';
import { numericRule, oddArraySql, oddSql } from '../snapshot/index.ts';

/**
 * One text form per value that PostgreSQL, YugabyteDB and ClickHouse compute alike, so that checksums
 * over it can be compared: `~` for NULL, `=` and the value, or `!` and the source text of a value that
 * the warehouse keeps in `_raw` (kernel/interchange.ts).
 *
 * | kind | value |
 * | --- | --- |
 * | bool | true, false |
 * | integers, date, uuid | their text |
 * | float | the bits as a signed integer; NaN as NaN |
 * | numeric | all digits of its scale (38 when unbounded) |
 * | timestamp, timestamptz | `YYYY-MM-DD HH:MM:SS.ffffff`, UTC |
 * | bytes | hex |
 * | array | its elements in this form, separated |
 * | all else | the text byte for byte |
 */
const COLUMN_SEPARATOR = 31;
const ELEMENT_SEPARATOR = 30;

/** Columns the warehouse adds; a source column of such a name has an underscore behind it there. */
const RESERVED = new Set(['_raw', '_version', '_deleted', '_committed_at']);
export const warehouseIdent = (name: string): string => chIdent(RESERVED.has(name) ? `${name}_` : name);

/** SQL of the source: the canonical text of one column. */
export function sourceCanonical(column: Column): string {
  const value = pgIdent(column.name);
  const { type } = column;
  if (type.kind === 'array') {
    // Rows would fall apart into their fields.
    const list = type.element.kind === 'other' ? `${value}::text[]` : value;
    const elements = `SELECT string_agg(${sourceScalar('e', type.element)}, chr(${ELEMENT_SEPARATOR}) ORDER BY o) FROM unnest(${list}) WITH ORDINALITY AS u(e, o)`;
    return `CASE WHEN ${value} IS NULL THEN '!NULL' WHEN ${oddArraySql(value, type)} THEN '!' || ${value}::text ELSE '=' || coalesce((${elements}), '') END`;
  }
  const odd = oddSql(value, type);
  const plain = sourceScalar(value, type);
  return odd === null ? plain : `CASE WHEN ${odd} THEN '!' || ${value}::text ELSE ${plain} END`;
}

function sourceScalar(value: string, type: ScalarType): string {
  switch (type.kind) {
    case 'bool':
    case 'int2':
    case 'int4':
    case 'int8':
    case 'date':
    case 'uuid':
      return `coalesce('=' || ${value}::text, '~')`;
    case 'float4':
      return floatBits(value, 'float4send', 'bit(32)::int4');
    case 'float8':
      return floatBits(value, 'float8send', 'bit(64)::int8');
    case 'numeric':
      if (numericRule(type) === 'text') return `coalesce('=' || ${value}::text, '~')`;
      return `coalesce('=' || round(${value}, ${scaleOf(type)})::text, '~')`;
    case 'timestamp':
    case 'timestamptz':
      return `coalesce('=' || to_char(${value}, 'YYYY-MM-DD HH24:MI:SS.US'), '~')`;
    case 'bytes':
      return `coalesce('=' || encode(${value}, 'hex'), '~')`;
    default:
      // concat() prints as COPY does; a cast to text would strip the blanks of char(n).
      return `CASE WHEN ${isNull(value)} THEN '~' ELSE concat('=', ${value}) END`;
  }
}

/** A row of NULLs is not NULL, although IS NULL says so. */
export const isNull = (value: string): string => `${value} IS NOT DISTINCT FROM NULL`;

const floatBits = (value: string, send: string, bits: string): string =>
  `CASE WHEN ${value} = 'NaN' THEN '=NaN' ELSE coalesce('=' || ('x' || encode(${send}(${value}), 'hex'))::${bits}::text, '~') END`;

const scaleOf = (type: ScalarType): number =>
  numericRule(type) === 'unbounded' ? UNBOUNDED_NUMERIC.scale : (type.scale ?? 0);

/** SQL of ClickHouse: the canonical text of one column. */
export function warehouseCanonical(column: Column): string {
  const value = warehouseIdent(column.name);
  const { type } = column;
  const name = chLiteral(column.name);
  const orRaw = (plain: string): string =>
    `if(mapContains(_raw, ${name}), concat('!', _raw[${name}]), ${plain})`;
  if (type.kind === 'array') {
    const elements = `arrayStringConcat(arrayMap(e -> ${warehouseScalar('e', type.element)}, ${value}), char(${ELEMENT_SEPARATOR}))`;
    return orRaw(`concat('=', ${elements})`);
  }
  const plain = warehouseScalar(value, type);
  return oddSql('v', type) === null ? plain : orRaw(plain);
}

function warehouseScalar(value: string, type: ScalarType): string {
  const given = (text: string): string => `ifNull(concat('=', ${text}), '~')`;
  switch (type.kind) {
    case 'float4':
      return `if(isNaN(ifNull(${value}, 0)), '=NaN', ${given(`toString(reinterpretAsInt32(${value}))`)})`;
    case 'float8':
      return `if(isNaN(ifNull(${value}, 0)), '=NaN', ${given(`toString(reinterpretAsInt64(${value}))`)})`;
    case 'numeric':
      return numericRule(type) === 'text'
        ? given(value)
        : given(`toDecimalString(${value}, ${scaleOf(type)})`);
    case 'bytes':
      return given(`lower(hex(${value}))`);
    default:
      return given(`toString(${value})`);
  }
}

/** What people are shown of a value. */
export const sourceShown = (column: Column): string => `left(${pgIdent(column.name)}::text, ${SHOWN})`;

export function warehouseShown(column: Column): string {
  const name = chLiteral(column.name);
  const value = warehouseIdent(column.name);
  const plain = column.type.kind === 'bytes' ? `concat('\\\\x', lower(hex(${value})))` : `toString(${value})`;
  return `leftUTF8(if(mapContains(_raw, ${name}), _raw[${name}], ${plain}), ${SHOWN})`;
}

const SHOWN = 200;

/** Hash of several columns: 32 hex digits. `encode` for sources whose encoding is not UTF-8. */
export function sourceHash(columns: readonly Column[], utf8: boolean): string {
  const text = columns.map(sourceCanonical).join(` || chr(${COLUMN_SEPARATOR}) || `);
  return utf8 ? `md5(${text})` : `md5(convert_to(${text}, 'UTF8'))`;
}

export function warehouseHash(columns: readonly Column[]): string {
  const parts = columns.map(warehouseCanonical).join(`, char(${COLUMN_SEPARATOR}), `);
  return `lower(hex(MD5(concat(${parts}, ''))))`;
}

/** The first eight digits of a hash as a number. */
export const sourcePart = (hash: string): string => `('x' || left(${hash}, 8))::bit(32)::bigint`;
export const warehousePart = (hash: string): string =>
  `reinterpretAsUInt32(reverse(unhex(left(${hash}, 8))))`;

/**
 * Sum of the first half of rows' hashes, as text. PostgreSQL puts the hash's expression wherever it is named, and works
 * it out as often: named once, it costs half.
 */
export const sourceSum = (hash: string): string => `sum(('x' || left(${hash}, 16))::bit(64)::bigint)::text`;
export const warehouseSum = (hash: string): string =>
  `toString(sum(toInt128(reinterpretAsInt64(reverse(unhex(left(${hash}, 16)))))))`;
