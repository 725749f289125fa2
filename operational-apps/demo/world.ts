import { DAY, HISTORY_DAYS } from './calendar.ts';

/** Text, number, flag or nothing; already in the form COPY writes, save for escapes. */
export type Value = string | number | boolean | null;
export type Row = Readonly<Record<string, Value>>;

export interface World {
  readonly seed: number;
  /** First midnight of the history and the moment it ends, ms since 1970, UTC. */
  readonly start: number;
  readonly until: number;
  /** First day of the month from which on the ledger has documents of its own; months before are summed up. */
  readonly booksFrom: number;
  readonly orders: number;
  /** `table` as `schema.table`; every row of a table has the same keys. */
  emit(table: string, row: Row): void;
  /** Next key of a table, from 1. */
  id(table: string): number;
  /** Highest key given out per table. */
  readonly ids: ReadonlyMap<string, number>;
}

export interface WorldOptions {
  readonly seed: number;
  readonly orders: number;
  readonly until: Date;
  readonly emit: (table: string, row: Row) => void;
}

/** The books hold documents for at least this long; two years of them would be most of all rows. */
const BOOKS_DAYS = 92;

const firstOfMonth = (at: number): number =>
  Date.UTC(new Date(at).getUTCFullYear(), new Date(at).getUTCMonth(), 1);

export function createWorld(options: WorldOptions): World {
  const ids = new Map<string, number>();
  const until = options.until.getTime();
  return {
    seed: options.seed,
    until,
    booksFrom: firstOfMonth(until - BOOKS_DAYS * DAY),
    start: Math.ceil(until / DAY) * DAY - HISTORY_DAYS * DAY,
    orders: options.orders,
    emit: options.emit,
    ids,
    id(table) {
      const next = (ids.get(table) ?? 0) + 1;
      ids.set(table, next);
      return next;
    },
  };
}

const dates = new Map<number, string>();

/** `YYYY-MM-DD` of an instant in UTC. */
export function date(ms: number): string {
  const day = Math.floor(ms / DAY);
  let text = dates.get(day);
  if (text === undefined) {
    text = new Date(day * DAY).toISOString().slice(0, 10);
    dates.set(day, text);
  }
  return text;
}

const two = Array.from({ length: 60 }, (_, index) => String(index).padStart(2, '0'));

/** `YYYY-MM-DD HH:MM:SS.mmm+00`. */
export function instant(ms: number): string {
  const whole = Math.floor(ms);
  const rest = whole - Math.floor(whole / DAY) * DAY;
  const seconds = Math.floor(rest / 1000);
  const milliseconds = String(rest % 1000).padStart(3, '0');
  return `${date(whole)} ${two[Math.floor(seconds / 3600)]}:${two[Math.floor(seconds / 60) % 60]}:${two[seconds % 60]}.${milliseconds}+00`;
}

/** Whole cents as a decimal text. */
export function money(cents: number): string {
  const sign = cents < 0 ? '-' : '';
  const positive = Math.abs(cents);
  const whole = Math.floor(positive / 100);
  const rest = positive - whole * 100;
  return `${sign}${whole}.${rest < 10 ? '0' : ''}${rest}`;
}

/** The columns all rows begin and end with. */
export const stamps = (created: number, updated: number) => ({
  created_at: instant(created),
  updated_at: instant(updated),
  version: updated > created ? 2 : 1,
});

export const numbered = (prefix: string, digits: number, value: number): string =>
  `${prefix}${String(value).padStart(digits, '0')}`;
