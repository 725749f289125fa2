import { userError } from '#kernel';

/** Buckets are whole hours, days, weeks (from Monday), months, quarters or years in UTC, numbered. */
export type BucketUnit = 'hour' | 'day' | 'week' | 'month' | 'quarter' | 'year';

/** Rows without a time. */
export const NO_TIME = -2;
/** Rows whose time ClickHouse's functions cannot round exactly: a table that has one is asked raw. */
export const OUT_OF_RANGE = -3;
/** In the log of refreshes: the row of the refresh itself. */
export const MARK = -1;

/** From fine to coarse; a week is part of neither month, quarter nor year. */
const ORDER = ['second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year'];

/**
 * The unit that is computed anew at once: the partition granularity, or the roll-up's own, at least an hour. Errors:
 * MODEL_INVALID (user) for a partition finer than the granularity, or across which its steps would lie.
 */
export function bucketUnit(granularity: string, partition: string | undefined): BucketUnit {
  const own = ORDER.indexOf(granularity);
  if (own < 0)
    throw invalid(`${granularity} is no granularity of a roll-up; use one of ${ORDER.join(', ')}.`);
  if (partition === undefined) return ORDER[Math.max(own, ORDER.indexOf('hour'))] as BucketUnit;
  const at = ORDER.indexOf(partition);
  if (at < 0) throw invalid(`${partition} is no partition_granularity; use one of ${ORDER.join(', ')}.`);
  if (at < own) throw invalid(`partition_granularity ${partition} is finer than granularity ${granularity}.`);
  if (granularity === 'week' && partition !== 'week') throw invalid(`Weeks do not fit into a ${partition}.`);
  return ORDER[Math.max(at, ORDER.indexOf('hour'))] as BucketUnit;
}

const invalid = (text: string): Error =>
  userError('MODEL_INVALID', text, 'See docs/semantic-layer.md, "Roll-ups".');

const MICROS = { hour: 3_600_000_000, day: 86_400_000_000 } as const;

/**
 * ClickHouse expression (Int32): number of the bucket in which a time or date lies; the same for a time and for what
 * it is rounded down to by a granularity of the bucket's unit or finer.
 */
export function bucketOf(time: string, unit: BucketUnit): string {
  const at = `toDateTime64(${time}, 6, 'UTC')`;
  const micros = `toUnixTimestamp64Micro(${at})`;
  const day = `intDiv(${micros}, ${MICROS.day})`;
  const number = {
    hour: `intDiv(${micros}, ${MICROS.hour})`,
    day,
    week: `intDiv(${day} + 3, 7)`,
    month: `toRelativeMonthNum(${at})`,
    quarter: `toRelativeQuarterNum(${at})`,
    year: `toRelativeYearNum(${at})`,
  }[unit];
  const outside = `${at} < toDateTime64('1970-01-01 00:00:00', 6, 'UTC') OR ${at} >= toDateTime64('2106-01-01 00:00:00', 6, 'UTC')`;
  return `toInt32(ifNull(if(${outside}, ${OUT_OF_RANGE}, ${number}), ${NO_TIME}))`;
}
