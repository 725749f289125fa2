import type { SemanticQuery } from '#kernel';

/** One metric question: asked of the semantic layer, and answered by hand from the operational truth. */
export interface Question {
  readonly ask: string;
  readonly query: SemanticQuery;
  /** PostgreSQL; columns in the order of dimensions, time dimension, measures. */
  readonly sql: string;
}

/** A time as the semantic layer tells it. */
export const month = (column: string): string =>
  `to_char(date_trunc('month', ${column} AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS.MS')`;

export const week = (column: string): string =>
  `to_char(date_trunc('week', ${column} AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS.MS')`;

/** The month of a date, which has no time zone. */
export const dateMonth = (column: string): string =>
  `to_char(date_trunc('month', ${column}), 'YYYY-MM-DD"T"HH24:MI:SS.MS')`;

export const by = (dimension: string, granularity: string, dateRange?: readonly string[]): object => ({
  timeDimensions: [{ dimension, granularity, ...(dateRange ? { dateRange } : {}) }],
});

export const equals = (member: string, ...values: string[]): object => ({
  member,
  operator: 'equals',
  values,
});
