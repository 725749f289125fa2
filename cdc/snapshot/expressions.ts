import {
  type ArrayType,
  type Column,
  ODD_MAX_DATE,
  ODD_MIN_DATE,
  pgIdent,
  pgLiteral,
  type RowForm,
  type ScalarType,
  type TableSchema,
  UNBOUNDED_NUMERIC,
} from '#kernel';

/**
 * SQL for the fields of kernel/interchange.ts. A column that cannot hold an odd value costs nothing;
 * the others cost comparisons per row, and text is built only for rows that hold an odd value.
 */
interface FieldSql {
  /** The value as COPY is to print it where it is known not to be odd. */
  readonly plain: string;
  /** The same, with the substitute where it is odd. */
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

function fieldSql(column: Column): FieldSql {
  const value = pgIdent(column.name);
  const { type } = column;
  if (type.kind === 'array') return arraySql(value, type);
  const odd = oddSql(value, type);
  switch (type.kind) {
    case 'bytes': {
      const hex = `encode(${value}, 'hex')`;
      return { plain: hex, field: hex, odd };
    }
    case 'numeric': {
      const substitute = column.nullable ? 'NULL' : '0';
      const field = odd === null ? value : `CASE WHEN ${odd} THEN ${substitute} ELSE ${value} END`;
      return { plain: value, field, odd };
    }
    case 'date':
      return { plain: value, field: clamp(value, 'date', MIN_DATE, MAX_DATE), odd };
    case 'timestamp':
      return { plain: value, field: clamp(value, 'timestamp', MIN_DATE, MAX_TIME), odd };
    case 'timestamptz': {
      // The session's zone is UTC, so the plain timestamp is the moment in UTC without its offset.
      const cast = '::timestamp';
      return {
        plain: `${value}${cast}`,
        field: clamp(value, 'timestamptz', MIN_DATE, MAX_TIME, cast),
        odd,
      };
    }
    default:
      return { plain: value, field: value, odd };
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
  return { plain: exact, field: `CASE WHEN ${odd} THEN '[]' ELSE ${exact} END`, odd };
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

/** How the rows of a table are copied out: SELECT list and condition of one pass, and the form it gives. */
export interface Pass {
  readonly fields: string;
  /** null = every row of the range. */
  readonly where: string | null;
  readonly form: RowForm;
}

type Shape = Pick<TableSchema, 'columns'>;

const fieldsOf = (schema: Shape): { column: Column; sql: FieldSql }[] =>
  schema.columns.map((column) => ({ column, sql: fieldSql(column) }));

/** The SELECT list of form `with-raw`: one field per column in order, then `_raw`. */
export function snapshotFields(schema: Shape): string {
  const fields = fieldsOf(schema);
  const odd = fields.flatMap(({ column, sql }) => (sql.odd === null ? [] : [{ column, odd: sql.odd }]));
  return [...fields.map(({ sql }) => sql.field), odd.length === 0 ? "'{}'" : rawSql(odd)].join(', ');
}

/**
 * Every row of a range in one of the passes. With `cheapPasses` rows without odd values go first, free of
 * what odd ones need, and then those few that hold one: looking through a range again costs a server that
 * has it in memory less than an expression on each value that it prints, and ClickHouse less to read.
 */
export function snapshotPasses(schema: Shape, cheapPasses: boolean): readonly Pass[] {
  const fields = fieldsOf(schema);
  const plain = fields.map(({ sql }) => sql.plain).join(', ');
  const odd = fields.flatMap(({ sql }) => sql.odd ?? []);
  if (odd.length === 0) return [{ fields: plain, where: null, form: 'plain' }];
  const whole = snapshotFields(schema);
  if (!cheapPasses) return [{ fields: whole, where: null, form: 'with-raw' }];
  const any = odd.join(' OR ');
  return [
    // Unknown (a NULL) is not odd.
    { fields: plain, where: `(${any}) IS NOT TRUE`, form: 'plain' },
    { fields: whole, where: any, form: 'with-raw' },
  ];
}
