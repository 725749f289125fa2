import {
  type ArrayType,
  type Column,
  ODD_MAX_DATE,
  ODD_MIN_DATE,
  pgIdent,
  pgLiteral,
  type ScalarType,
  type TableSchema,
  UNBOUNDED_NUMERIC,
} from '#kernel';

/**
 * SQL for the fields of kernel/interchange.ts. A column that cannot hold an odd value costs nothing;
 * the others cost comparisons per row, and text is built only for rows that hold an odd value.
 */
export interface FieldSql {
  /** The value as COPY is to print it. */
  readonly field: string;
  /** Boolean: the value is odd (NULL counts as no); null = it never is. */
  readonly odd: string | null;
}

const MIN_DATE = `'${ODD_MIN_DATE}'`;
const MAX_DATE = `'${ODD_MAX_DATE}'`;
const MAX_TIME = `'${ODD_MAX_DATE} 23:59:59.999999'`;
/** Digits the unbounded form keeps on each side of the point. */
const WHOLE_DIGITS = UNBOUNDED_NUMERIC.precision - UNBOUNDED_NUMERIC.scale;

/**
 * How the warehouse keeps a numeric: as Decimal(precision, scale), as the widest Decimal when it is
 * unbounded, or as text when it is bounded in a way that no Decimal is.
 */
export function numericRule({ precision, scale = 0 }: ScalarType): 'bounded' | 'unbounded' | 'text' {
  if (precision === undefined) return 'unbounded';
  return precision <= UNBOUNDED_NUMERIC.precision && scale >= 0 && scale <= precision ? 'bounded' : 'text';
}

export function fieldSql(column: Column): FieldSql {
  const value = pgIdent(column.name);
  const { type } = column;
  if (type.kind === 'array') return arraySql(value, type);
  const odd = oddSql(value, type);
  switch (type.kind) {
    case 'bytes':
      return { field: `encode(${value}, 'hex')`, odd };
    case 'numeric':
      if (odd === null) return { field: value, odd };
      return { field: `CASE WHEN ${odd} THEN ${column.nullable ? 'NULL' : '0'} ELSE ${value} END`, odd };
    case 'date':
      return { field: clamp(value, 'date', MIN_DATE, MAX_DATE), odd };
    case 'timestamp':
      return { field: clamp(value, 'timestamp', MIN_DATE, MAX_TIME), odd };
    case 'timestamptz':
      // The session's zone is UTC, so the plain timestamp is the moment in UTC without its offset.
      return { field: clamp(value, 'timestamptz', MIN_DATE, MAX_TIME, '::timestamp'), odd };
    default:
      return { field: value, odd };
  }
}

const clamp = (value: string, type: string, low: string, high: string, cast = ''): string =>
  `CASE WHEN ${value} < ${type} ${low} THEN (${type} ${low})${cast} WHEN ${value} > ${type} ${high} THEN (${type} ${high})${cast} ELSE ${value}${cast} END`;

/** Condition under which a scalar is odd; infinities compare like very small and very large values. */
export function oddSql(value: string, type: ScalarType): string | null {
  switch (type.kind) {
    case 'numeric':
      // NaN is larger than every number, infinities larger or smaller.
      if (numericRule(type) === 'text') return null;
      if (numericRule(type) === 'bounded') return `${value} = 'NaN'::numeric`;
      return `(${value} >= 1e${WHOLE_DIGITS} OR ${value} <= -1e${WHOLE_DIGITS} OR (scale(${value}) > ${UNBOUNDED_NUMERIC.scale} AND trunc(${value}, ${UNBOUNDED_NUMERIC.scale}) <> ${value}))`;
    case 'date':
      return `(${value} < date ${MIN_DATE} OR ${value} > date ${MAX_DATE})`;
    case 'timestamp':
    case 'timestamptz':
      return `(${value} < ${type.kind} ${MIN_DATE} OR ${value} > ${type.kind} ${MAX_TIME})`;
    default:
      return null;
  }
}

/** Condition under which an array is odd. */
export function oddArraySql(value: string, type: ArrayType): string {
  const element = oddSql('e', type.element);
  const shape = `array_ndims(${value}) > 1 OR array_lower(${value}, 1) <> 1`;
  return `(${shape}${element ? ` OR EXISTS (SELECT FROM unnest(${value}) AS e WHERE ${element})` : ''})`;
}

function arraySql(value: string, type: ArrayType): FieldSql {
  const odd = oddArraySql(value, type);
  // Of these the text is wanted, not what their own conversion to JSON makes of them.
  const elements = type.element.kind === 'other' || type.element.kind === 'json' ? `${value}::text[]` : value;
  const json = `array_to_json(${elements})::text`;
  // A JSON reader takes -0 for the integer 0.
  const float = type.element.kind === 'float4' || type.element.kind === 'float8';
  const exact = float ? `regexp_replace(${json}, '([[,]-0)(?=[],])', '\\1.0', 'g')` : json;
  return { field: `CASE WHEN ${odd} THEN '[]' ELSE ${exact} END`, odd };
}

/** Entries of the `_raw` map: `'column':'source text'`, ClickHouse string escapes. */
function rawSql(fields: readonly { readonly column: Column; readonly odd: string }[]): string {
  const entries = fields.map(({ column, odd }) => {
    const name = pgLiteral(`'${column.name.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}':'`);
    const text = `replace(replace(${pgIdent(column.name)}::text, E'\\\\', E'\\\\\\\\'), E'\\'', E'\\\\\\'')`;
    return `CASE WHEN ${odd} THEN ${name} || ${text} || '''' END`;
  });
  const any = fields.map(({ odd }) => odd).join(' OR ');
  return `CASE WHEN ${any} THEN '{' || concat_ws(',', ${entries.join(', ')}) || '}' ELSE '{}' END`;
}

/** The SELECT list of a snapshot: one field per column in order, then `_raw`. */
export function snapshotFields(schema: Pick<TableSchema, 'columns'>): string {
  const fields = schema.columns.map((column) => ({ column, ...fieldSql(column) }));
  const odd = fields.flatMap(({ column, odd }) => (odd === null ? [] : [{ column, odd }]));
  return [...fields.map(({ field }) => field), odd.length === 0 ? "'{}'" : rawSql(odd)].join(', ');
}
