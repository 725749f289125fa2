/** Operators whose values Cube reads as dates. */
const DATE_OPERATORS =
  /^(inDateRange|notInDateRange|onTheDate|beforeDate|beforeOrOnDate|afterDate|afterOrOnDate)$/;
const ABSOLUTE = /^\d{4}-\d\d-\d\d/;

/** A range such as `last 7 days`, and what it meant. */
export interface Range {
  readonly text: string;
  readonly timezone: string;
  readonly resolved: string;
}

interface Loose {
  readonly [name: string]: unknown;
}

/**
 * Relative ranges of time in a query, as their meaning now; null where one stands in a filter, whose meaning is
 * not followed.
 */
export function relativeRanges(
  query: unknown,
  resolve: (text: string, timezone: string) => string,
): Range[] | null {
  const ranges: Range[] = [];
  for (const one of Array.isArray(query) ? query : [query]) {
    const { timeDimensions, filters, timezone } = (one ?? {}) as Loose;
    if (hasRelativeFilter(filters)) return null;
    const zone = typeof timezone === 'string' ? timezone : 'UTC';
    for (const dimension of Array.isArray(timeDimensions) ? (timeDimensions as Loose[]) : []) {
      const { dateRange, compareDateRange } = dimension;
      const texts = [dateRange, ...(Array.isArray(compareDateRange) ? compareDateRange : [])];
      for (const text of texts)
        if (typeof text === 'string' && !ABSOLUTE.test(text))
          ranges.push({ text, timezone: zone, resolved: resolve(text, zone) });
    }
  }
  return ranges;
}

function hasRelativeFilter(filters: unknown): boolean {
  if (!Array.isArray(filters)) return false;
  return (filters as Loose[]).some(
    ({ operator, values, and, or }) =>
      hasRelativeFilter(and) ||
      hasRelativeFilter(or) ||
      (DATE_OPERATORS.test(String(operator)) &&
        Array.isArray(values) &&
        values.some((value) => typeof value === 'string' && !ABSOLUTE.test(value))),
  );
}
