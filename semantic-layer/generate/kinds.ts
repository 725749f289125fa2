import type { Column, EntityField } from '#kernel';

export type DimensionType = 'string' | 'number' | 'boolean' | 'time';

/** What a column is for the model: its dimension's type, and the SQL of its value given that of the column. */
export interface Kind {
  readonly type: DimensionType;
  readonly value: (column: string) => string;
}

const plain = (column: string): string => column;
const asText = (column: string): string => `toString(${column})`;
const asList = (column: string): string =>
  `arrayStringConcat(arrayMap(x -> ifNull(toString(x), ''), ${column}), ', ')`;

/** By how clickhouse/types stores it; a numeric beyond Decimal's range is kept as text there. */
export function kindOf({ type }: Column): Kind {
  switch (type.kind) {
    case 'bool':
      return { type: 'boolean', value: plain };
    case 'int2':
    case 'int4':
    case 'int8':
    case 'float4':
    case 'float8':
      return { type: 'number', value: plain };
    case 'numeric':
      return { type: fitsDecimal(type) ? 'number' : 'string', value: plain };
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return { type: 'time', value: plain };
    case 'uuid':
      return { type: 'string', value: asText };
    case 'bytes':
      return { type: 'string', value: (column) => `hex(${column})` };
    case 'array':
      return { type: 'string', value: asList };
    default:
      return { type: 'string', value: plain };
  }
}

function fitsDecimal(type: { readonly precision?: number; readonly scale?: number }): boolean {
  if (type.precision === undefined) return true;
  const scale = type.scale ?? 0;
  return type.precision >= 1 && type.precision <= 76 && scale >= 0 && scale <= type.precision;
}

export interface Aggregates {
  readonly sum: boolean;
  readonly avg: boolean;
}

/** Neither a sum nor an average says anything: keys, years, places, numbers that only name something. */
const NAMES =
  /(^|_)(id|ids|key|year|month|day|week|quarter|position|version|number|no|code|zip|postal|postcode|lat|lng|lon|latitude|longitude|rank|sort|sequence|seq|line|port|pid|oid|start)$/i;
/** An average says something, a sum does not: shares, grades, and amounts per piece. */
const LEVELS =
  /(^|_)(percent|percentage|pct|rate|ratio|share|score|rating|stars|probability|level|age|temperature|price|limit|threshold|point)$|(^|_)(unit|hourly|per|rate|percent|average|avg|min|max)_/i;

/** Which totals of a number make sense; `keys` are columns of primary and foreign keys. */
export function aggregatesOf(
  column: Column,
  kind: Kind,
  keys: ReadonlySet<string>,
  field: EntityField | undefined,
): Aggregates {
  if (kind.type !== 'number' || keys.has(column.name) || field?.reference !== undefined)
    return { sum: false, avg: false };
  if (NAMES.test(column.name)) return { sum: false, avg: false };
  return { sum: !LEVELS.test(column.name), avg: true };
}
