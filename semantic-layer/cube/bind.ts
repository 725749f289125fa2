import { chLiteral } from '#kernel';

/** A value as a ClickHouse literal. */
function literal(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (Array.isArray(value)) return `(${value.map(literal).join(', ')})`;
  return chLiteral(String(value));
}

/**
 * The number of a filter, which Cube's dialect casts to Float64, as an exact literal: whole ones as they are, others
 * as a decimal. What is neither stays a Float64.
 */
function numeric(value: unknown): string {
  const text = String(value);
  if (/^-?\d{1,38}$/.test(text)) return text;
  const [, whole = '', fraction = ''] = /^-?(\d{1,20})\.(\d{1,18})$/.exec(text) ?? [];
  return whole === '' ? `toFloat64(${literal(value)})` : `toDecimal128('${text}', ${fraction.length})`;
}

/** Strings, quoted names and comments, in which a question mark is only a question mark; or a place for a value. */
const TOKEN =
  /'(?:[^'\\]|\\[\s\S]|'')*'|`(?:[^`\\]|\\[\s\S])*`|"(?:[^"\\]|\\[\s\S])*"|--[^\n]*|\/\*[\s\S]*?\*\/|toFloat64\(\?\)|\?/g;

/** The statement with its values in the places that Cube's planner left for them as `?`. */
export function bindValues(sql: string, values: readonly unknown[]): string {
  if (values.length === 0) return sql;
  let next = 0;
  const bound = sql.replace(TOKEN, (token) => {
    if (token === '?') return literal(values[next++]);
    return token === 'toFloat64(?)' ? numeric(values[next++]) : token;
  });
  if (next !== values.length) throw new Error(`The plan has ${next} places for ${values.length} values.`);
  return bound;
}
