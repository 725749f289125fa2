/** A result by rows, values as Cube's ClickHouse driver has them: numbers as exact text, times in ISO form. */
export interface Rows {
  /** The statement's column aliases. */
  readonly names: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
  /** Size of the answer as it came. */
  readonly bytes: number;
  /** Rows of tables that ClickHouse read for it. */
  readonly rowsRead: number;
}

/** Settings under which ClickHouse writes what `parseRows` reads. */
export const ROW_SETTINGS = {
  output_format_json_quote_64bit_integers: 1,
  output_format_json_quote_64bit_floats: 1,
  output_format_json_quote_decimals: 1,
  output_format_json_quote_denormals: 1,
  date_time_output_format: 'simple',
} as const;

interface JsonCompact {
  readonly meta: readonly { readonly name: string; readonly type: string }[];
  readonly data: unknown[][];
  readonly statistics?: { readonly rows_read: number | string };
}

/** Reads an answer in format JSONCompact. */
export function parseRows(answer: Buffer): Rows {
  const { meta, data, statistics } = JSON.parse(answer.toString()) as JsonCompact;
  const convert = meta.map(({ type }) => converterOf(type));
  for (const row of data)
    for (const [index, change] of convert.entries()) if (change) row[index] = change(row[index]);
  return {
    names: meta.map(({ name }) => name),
    rows: data,
    bytes: answer.length,
    rowsRead: Number(statistics?.rows_read ?? 0),
  };
}

type Converter = (value: unknown) => unknown;

function converterOf(type: string): Converter | null {
  const bare = type.replace(/^(?:(?:Nullable|LowCardinality)\()+/, '');
  if (/^(U?Int|Float|Decimal|BFloat)/.test(bare))
    return (value) => (typeof value === 'number' ? String(value) : value);
  if (/^DateTime/.test(bare)) return (value) => (typeof value === 'string' ? time(value) : value);
  if (/^Date/.test(bare)) return (value) => (typeof value === 'string' ? `${value}T00:00:00.000` : value);
  return null;
}

/** `2026-01-02 03:04:05[.678901]` -> `2026-01-02T03:04:05.678`. */
const time = (value: string): string =>
  `${value.slice(0, 10)}T${value.slice(11, 19)}.${value.slice(20, 23).padEnd(3, '0')}`;
