import { withRollups } from '../rollups/index.ts';

/**
 * Cube's ClickHouse dialect, with what it gets wrong put right:
 * - times keep their fractions, in answers and in the bounds of a range, whose end is the last microsecond;
 * - a date is that day in every time zone: it is no instant that a zone could move;
 * - rows are counted without reading their key where it cannot be NULL.
 * A number in a filter is compared as what it is and not as a Float64: see `bindValues`.
 */

interface BaseDialect {
  readonly timezone: string;
  convertTz(field: string): string;
  dateTimeCast(value: string, timezone?: string): string;
  timeRangeFilter(field: string, from: string, to: string): string;
  timeNotInRangeFilter(field: string, from: string, to: string): string;
  beforeDateFilter(field: string, at: string): string;
  beforeOrOnDateFilter(field: string, at: string): string;
  afterDateFilter(field: string, at: string): string;
  afterOrOnDateFilter(field: string, at: string): string;
  applyMeasureFilters(sql: string, symbol: MeasureSymbol, cube: string): string;
  renderSqlMeasure(name: string, sql: string, symbol: MeasureSymbol, ...more: unknown[]): string;
}

interface MeasureSymbol {
  readonly type: string;
  readonly sql?: unknown;
}

type DialectClass = new (compilers: object, options: object) => BaseDialect;

/** The condition is constant to ClickHouse, which leaves one branch of the two before anything runs. */
const byType = (field: string, date: string, instant: string): string =>
  `if(match(toTypeName(${field}), '^(Nullable.|LowCardinality.)*Date(32|)[)]*$'), ${date}, ${instant})`;

/** Cube ends a range at the last millisecond; the warehouse has microseconds. */
const end = (at: string): string => `${at} + toIntervalMicrosecond(999)`;

/**
 * Rows whose key is not NULL: those that a left join did not find have none. Of what is not Nullable, `isNotNull` is a
 * constant to ClickHouse, which then does not read it. `filtered`: as Cube writes the filters of the measure.
 */
function countRows(key: string, filtered: string): string | null {
  if (filtered === key) return key === '*' ? null : `countIf(isNotNull(${key}))`;
  const [before, after] = ['CASE WHEN ', ` THEN ${key} END`];
  if (key === '*' || !filtered.startsWith(before) || !filtered.endsWith(after)) return null;
  return `countIf((${filtered.slice(before.length, -after.length)}) AND isNotNull(${key}))`;
}

export function dialectOf(base: object): object {
  const Base = base as DialectClass;
  // Cube filters a measure right before it renders it; its constructor does so, too, before a field would be there.
  let last = { key: '', filtered: '' };
  class Dialect extends Base {
    constructor(compilers: object, options: object) {
      // As the environment says already; said here, Cube warns of nothing.
      super(compilers, { ...options, useNativeSqlPlanner: false });
    }

    override convertTz(field: string): string {
      const date = `toDateTime64(${field}, 6, '${this.timezone}')`;
      return byType(field, date, `toTimeZone(toDateTime64(${field}, 6), '${this.timezone}')`);
    }

    override dateTimeCast(value: string, timezone?: string): string {
      return timezone ? super.dateTimeCast(value, timezone) : `parseDateTime64BestEffort(${value}, 6, 'UTC')`;
    }

    override timeRangeFilter(field: string, from: string, to: string): string {
      return super.timeRangeFilter(this.#instant(field), from, end(to));
    }

    override timeNotInRangeFilter(field: string, from: string, to: string): string {
      return super.timeNotInRangeFilter(this.#instant(field), from, end(to));
    }

    override beforeDateFilter(field: string, at: string): string {
      return super.beforeDateFilter(this.#instant(field), at);
    }

    override beforeOrOnDateFilter(field: string, at: string): string {
      return super.beforeOrOnDateFilter(this.#instant(field), end(at));
    }

    override afterDateFilter(field: string, at: string): string {
      return super.afterDateFilter(this.#instant(field), end(at));
    }

    override afterOrOnDateFilter(field: string, at: string): string {
      return super.afterOrOnDateFilter(this.#instant(field), at);
    }

    override applyMeasureFilters(sql: string, symbol: MeasureSymbol, cube: string): string {
      const filtered = super.applyMeasureFilters(sql, symbol, cube);
      last = { key: sql, filtered };
      return filtered;
    }

    override renderSqlMeasure(name: string, sql: string, symbol: MeasureSymbol, ...more: unknown[]): string {
      const { key, filtered } = last;
      const written = super.renderSqlMeasure(name, sql, symbol, ...more);
      // Sums over sums, distinct counts and single rows are other texts, and stay what they are.
      if (symbol.type !== 'count' || symbol.sql || sql !== filtered || written !== `count(${sql})`)
        return written;
      return countRows(key, sql) ?? written;
    }

    /** A date as the beginning of that day where the question is asked from. */
    #instant(field: string): string {
      return byType(field, `toDateTime64(${field}, 6, '${this.timezone}')`, field);
    }
  }
  return withRollups(Dialect);
}
