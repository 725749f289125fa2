/**
 * The text form in which snapshot rows travel from a source's COPY into the warehouse without being
 * touched in between: PostgreSQL COPY text (tab-separated, `\N`, backslash escapes), one field per
 * column of the TableSchema in order, then one last field `_raw`, which is left out where no row of the text is
 * odd (`RowForm`).
 *
 * Field by kind: bool t/f; int, float: source text; numeric: plain decimal digits; date
 * `YYYY-MM-DD`; timestamp and timestamptz `YYYY-MM-DD HH:MM:SS[.ffffff]` in UTC without offset; bytes:
 * hex digits; array: JSON array text (elements as PostgreSQL's array_to_json gives them; of json, jsonb and
 * other types, their source text as a JSON string); all else: source text.
 *
 * Values that a typed warehouse column cannot hold exactly are *odd*: the typed column gets a stated
 * substitute and the exact source text goes into `_raw`, so that nothing is lost and nothing is refused:
 *
 * | odd value | substitute |
 * | --- | --- |
 * | date, timestamp, timestamptz before 1900-01-01 or -infinity | 1900-01-01 00:00:00 |
 * | the same after 2299-12-31 or infinity | 2299-12-31 (23:59:59.999999) |
 * | numeric NaN, Infinity, or beyond Decimal(76,38) when unbounded | NULL (0 if not nullable) |
 * | array with several dimensions, a lower bound other than 1, or an odd element | [] |
 *
 * `_raw` is a ClickHouse `Map(String, String)` in its text form: `{}` or `{'col':'infinity'}`.
 */
export const RAW_COLUMN = '_raw';
export const ODD_MIN_DATE = '1900-01-01';
export const ODD_MAX_DATE = '2299-12-31';
/** Unbounded numeric is kept as Decimal(76,38): at most this many digits before and after the point. */
export const UNBOUNDED_NUMERIC = { precision: 76, scale: 38 } as const;

/** Whether the last field `_raw` is there: rows without it hold no odd value. */
export type RowForm = 'plain' | 'with-raw';
