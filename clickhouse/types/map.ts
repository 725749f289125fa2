import { type Column, type ColumnType, type ScalarType, UNBOUNDED_NUMERIC } from '#kernel';

const SCALARS = {
  bool: 'Bool',
  int2: 'Int16',
  int4: 'Int32',
  int8: 'Int64',
  float4: 'Float32',
  float8: 'Float64',
  text: 'String',
  bytes: 'String',
  date: 'Date32',
  timestamp: 'DateTime64(6)',
  timestamptz: "DateTime64(6, 'UTC')",
  time: 'String',
  timetz: 'String',
  interval: 'String',
  uuid: 'UUID',
  json: 'String',
  enum: 'LowCardinality(String)',
  other: 'String',
} as const;

const MAX_PRECISION = 76;

/** Precision and scale of the Decimal that holds a numeric exactly; null = kept as text. */
export function decimalOf(type: ScalarType): { precision: number; scale: number } | null {
  if (type.precision === undefined) return UNBOUNDED_NUMERIC;
  const scale = type.scale ?? 0;
  const fits =
    type.precision >= 1 && type.precision <= MAX_PRECISION && scale >= 0 && scale <= type.precision;
  return fits ? { precision: type.precision, scale } : null;
}

function scalarName(type: ScalarType): string {
  if (type.kind !== 'numeric') return SCALARS[type.kind];
  const decimal = decimalOf(type);
  return decimal === null ? 'String' : `Decimal(${decimal.precision}, ${decimal.scale})`;
}

/** Element type of an array column; enums are plain strings there (LowCardinality gains nothing inside arrays). */
export const elementName = (type: ScalarType): string => (type.kind === 'enum' ? 'String' : scalarName(type));

/**
 * ClickHouse type of a column, as ClickHouse itself prints it. Arrays cannot be NULL in ClickHouse:
 * a NULL array is stored as `[]` and told apart by `_raw` (see `NULL_ARRAY`).
 */
export function warehouseType(type: ColumnType, nullable: boolean): string {
  if (type.kind === 'array') return `Array(Nullable(${elementName(type.element)}))`;
  const name = scalarName(type);
  if (!nullable) return name;
  return name.startsWith('LowCardinality(') ? 'LowCardinality(Nullable(String))' : `Nullable(${name})`;
}

export const warehouseTypeOf = (column: Pick<Column, 'type' | 'nullable'>): string =>
  warehouseType(column.type, column.nullable);

/** Types of which a value may be odd, so that two different source values can share one typed value. */
export function canBeOdd(type: ColumnType): boolean {
  if (type.kind === 'array') return true;
  if (type.kind === 'numeric') return decimalOf(type) !== null;
  return type.kind === 'date' || type.kind === 'timestamp' || type.kind === 'timestamptz';
}

/** What `_raw` says of an array column whose source value is NULL. */
export const NULL_ARRAY = 'NULL';
